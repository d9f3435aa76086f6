"""Who is wired to whom: the table every brain is built from, its lesions, its controls, its files and pictures."""

from bestiary.brains.connectome._core import Connectome, Labels
from bestiary.brains.connectome._io import read_connectome, write_connectome
from bestiary.brains.connectome._load import connectomes, load_connectome
from bestiary.brains.connectome._plots import plot_adjacency, plot_degrees, plot_paths
from bestiary.brains.connectome._table import from_scipy, from_table, to_table

__all__ = [
    "Connectome",
    "Labels",
    "connectomes",
    "from_scipy",
    "from_table",
    "load_connectome",
    "plot_adjacency",
    "plot_degrees",
    "plot_paths",
    "read_connectome",
    "to_table",
    "write_connectome",
]
