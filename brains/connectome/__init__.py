"""Who is wired to whom: the table every brain is built from, its lesions and its controls."""

from bestiary.brains.connectome._core import Connectome, Labels
from bestiary.brains.connectome._load import connectomes, load_connectome

__all__ = ["Connectome", "Labels", "connectomes", "load_connectome"]
