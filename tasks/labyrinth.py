"""Find the way in a labyrinth: a binary tree of 127 nodes, with water at one of its ends."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Body
from bestiary.tasks._arena import ground
from bestiary.tasks._motion import advance, check_positive, start_at
from bestiary.tasks._walls import CLEAR, box, contact_of, nose_m, walls

LEVELS = 6
SIZE = 15  # cells a side
NODES = 2 ** (LEVELS + 1) - 1
HOME = NODES  # 127, as in the recordings
_HOME_CELLS = 5  # room for a tail
_LID_M = 0.002


def parent(node: int) -> int:
    """The node before: the home's is the first node's."""
    return HOME if node == 0 else (node - 1) // 2


@functools.lru_cache(1)
def runs() -> tuple[tuple[tuple[int, int], ...], ...]:
    """Cells (column, row) of the corridor that leads to each node, its own cell last.

    An H tree, whose arms halve every second branching: Rosenberg 2021 (eLife 10:e66175); nodes are numbered level by
    level, the lower coordinate first, which gives the recorded animals' places (tests).
    """
    middle = SIZE // 2
    out = [tuple((x, middle) for x in range(middle + 1))]
    for node in range(1, NODES):
        x, y = out[parent(node)][-1]
        depth = (node + 1).bit_length() - 1  # 1 for nodes 1 and 2
        length, sign = 2 ** ((LEVELS - depth) // 2), -1 if node % 2 else 1
        way = (0, sign) if depth % 2 else (sign, 0)
        out.append(tuple((x + way[0] * k, y + way[1] * k) for k in range(1, length + 1)))
    return tuple(out)


def way_of(node: int) -> tuple[int, int]:
    """(column, row) steps in which the corridor to a node runs."""
    cells = runs()[node]
    before = cells[-2] if len(cells) > 1 else runs()[parent(node)][-1]
    return cells[-1][0] - before[0], cells[-1][1] - before[1]


@functools.lru_cache(1)
def lines() -> tuple[tuple[float, float, float, float], ...]:
    """Walls in cells, corners of the grid at whole numbers 0 .. SIZE: everywhere but between cells of one corridor."""
    open_ = set()
    for node, cells in enumerate(runs()):
        chain = (*(() if node == 0 else (runs()[parent(node)][-1],)), *cells)
        for a, b in itertools.pairwise(chain):
            open_.add(frozenset((a, b)))
    used = {c for cells in runs() for c in cells}
    out: list[tuple[float, float, float, float]] = []
    for axis in (0, 1):
        for line in range(SIZE + 1):
            begin = None
            for k in range(SIZE + 1):
                pair = [(line - 1, k), (line, k)] if axis == 0 else [(k, line - 1), (k, line)]
                door = axis == 0 and line == 0 and k == SIZE // 2
                wall = k < SIZE and frozenset(pair) not in open_ and any(p in used for p in pair) and not door
                if wall and begin is None:
                    begin = k
                if not wall and begin is not None:
                    out.append((line, begin, line, k) if axis == 0 else (begin, line, k, line))
                    begin = None
    return tuple(out)


@dataclass(frozen=True)
class Labyrinth:
    """63 branchings and 64 ends behind a door; the start is in the home cage, facing it. Reward: 1 for water, given at
    the port to a nose that comes near, at most once in again_s.

    seconds: length of the episode. width_m: of the whole, 0.61 (24 inches) in Rosenberg 2021; corridor_m: of its
    corridors (1 1/8 inches, from memory); height_m: of the walls, on which a clear lid lies (theirs is enclosed; eLife
    10:e66175, figure 1). port: the node with the water, an end (63 to 126); 116 is that of the recordings (from
    memory); None: no water. start_node: 0 to 6, where the nose starts instead of the home, in the corridor that leads
    there.

    info: node (the last one entered, 127 the home), decisions (nodes entered, the home not counted), visited (share of
    the nodes), drinks, port_m (from nose to port, straight; -1 without), forward_m, speed_m_per_s, distance_m.
    """

    seconds: float = 120.0
    width_m: float = 0.6096
    corridor_m: float = 0.0286
    height_m: float = 0.05
    port: int | None = 116
    again_s: float = 90.0
    start_node: int | None = None
    fall_ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_positive(self, "seconds", "width_m", "corridor_m", "height_m")
        if not self.corridor_m < self.cell_m:
            raise ValueError(f"Labyrinth: corridor_m must be below {self.cell_m:g}, a cell; got {self.corridor_m}")
        if self.port is not None and not NODES // 2 <= self.port < NODES:
            raise ValueError(f"Labyrinth: port is an end node, {NODES // 2} to {NODES - 1}, or None; got {self.port}")
        if self.start_node is not None and not 0 <= self.start_node <= 6:
            raise ValueError(f"Labyrinth: start_node is from 0 to 6, whose corridors are long, got {self.start_node}")

    @property
    def cell_m(self) -> float:
        """From one corridor to the next."""
        return self.width_m / SIZE

    def place_m(self, cell: tuple[float, float]) -> Array:
        """(2,) of the middle of a cell; the middle of the labyrinth is at 0."""
        return (np.array(cell) - SIZE // 2) * self.cell_m

    def furnish(self, spec: mujoco.MjSpec, body: Body) -> None:
        ground(spec, body, self.width_m)
        shift = SIZE / 2
        low, high, back = shift - _HOME_CELLS / 2, shift + _HOME_CELLS / 2, -_HOME_CELLS
        cage = [(back, low, 0, low), (back, high, 0, high), (back, low, back, high)]
        every = [tuple((np.array(line) - shift) * self.cell_m) for line in (*lines(), *cage)]
        walls(spec, body, every, self.height_m, self.cell_m - self.corridor_m, (0.62, 0.6, 0.57, 1))
        half = self.width_m / 2
        box(spec, body, "lid", (-half, -half, self.height_m), (half, half, self.height_m + _LID_M), CLEAR)
        if self.port is not None:
            unit = body.units.length
            x, y = self.port_place_m() / unit
            spec.worldbody.add_geom(
                name="port", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.003 / unit, 0, 0], pos=[x, y, 0.015 / unit],
                rgba=[0.2, 0.45, 0.9, 1], **contact_of(spec),
            )  # fmt: skip

    def port_place_m(self) -> Array:
        """(2,) of the water, on the far wall of its corridor."""
        port = int(self.port or 0)
        return self.place_m(runs()[port][-1]) + np.array(way_of(port)) * self.corridor_m / 2

    def start(
        self, body: Body, bound: Any, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator
    ) -> dict[str, Any]:
        place, heading = np.zeros(3), 0.0
        if self.start_node is None:
            place[:2] = [-self.width_m / 2 - 0.9 * body.length_m, rng.uniform(-0.01, 0.01)]
            heading = float(rng.uniform(-0.1, 0.1))
        else:
            cell = runs()[self.start_node][-1]
            way = np.array(way_of(self.start_node))
            place[:2] = self.place_m(cell) - 0.5 * body.length_m * way
            heading = float(np.arctan2(way[1], way[0]))
        return self.begin(start_at(body, bound, model, data, place, heading))

    def begin(self, state: dict[str, Any]) -> dict[str, Any]:
        """The task's state for an account of motion."""
        node = HOME if self.start_node is None else self.start_node
        return {**state, "node": node, "decisions": 0, "drinks": 0, "dry_until": 0.0, "seen": np.zeros(NODES)}

    def node_at(self, place_m: Array) -> int | None:
        """The node whose cell a place lies in, HOME outside the door; None in a corridor."""
        if place_m[0] < -self.width_m / 2:
            return HOME
        cell = np.floor(place_m[:2] / self.cell_m + SIZE / 2).astype(int)
        return _nodes().get((int(cell[0]), int(cell[1])))

    def sample(
        self, state: dict[str, Any], sense: str, position_m: Array, fraction: Array, time_s: float
    ) -> Array | None:
        if sense != "water" or self.port is None:
            return None
        near = np.hypot(*(position_m[:, :2] - self.port_place_m()).T) < 0.006
        return (near & (time_s >= state["dry_until"])).astype(float)

    def judge(self, state: dict[str, Any], pose: dict[str, Array], time_s: float) -> tuple[float, bool, dict[str, Any]]:
        _, info = advance(state, pose, time_s)
        nose = nose_m(pose)
        node = self.node_at(nose)
        if node is not None and node != state["node"]:
            state["node"] = node
            if node != HOME:
                state["decisions"] += 1
                state["seen"] = state["seen"].copy()
                state["seen"][node] = 1
        away = -1.0 if self.port is None else float(np.hypot(*(nose[:2] - self.port_place_m())))
        drinks = 0 <= away < 0.012 and time_s >= state["dry_until"]
        if drinks:
            state["drinks"] += 1
            state["dry_until"] = time_s + self.again_s
        info |= {
            "node": float(state["node"]),
            "decisions": float(state["decisions"]),
            "visited": float(state["seen"].mean()),
            "drinks": float(state["drinks"]),
            "port_m": away,
        }
        return float(drinks), False, info


@functools.lru_cache(1)
def _nodes() -> dict[tuple[int, int], int]:
    return {cells[-1]: node for node, cells in enumerate(runs())}


TASK = Labyrinth
