"""A mouse's 24 large whiskers of each side: where they stand, how long and how stiff they are, and their rods.

Rows A (dorsal) to E, arcs 1 (caudal) to 4, four straddlers behind them, as on the standard map of the barrels. Angles
follow the published shape of the array (Towal 2011 PLoS Comput Biol 7:e1001120, rat; Bresee 2023 J Exp Biol
226:jeb245597, mouse): the further back, the longer and the more to the rear; the higher, the more upward. The numbers
below are from memory of those papers, rounded, not read from their tables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Units

ROWS, ARCS = "ABCDE", (1, 2, 3, 4)
STRADDLERS = ("alpha", "beta", "gamma", "delta")
WHISKERS = (*STRADDLERS, *(f"{row}{arc}" for row in ROWS for arc in ARCS))  # of one side, in the order of every array

_LENGTH_MM = (26.0, 23.0, 19.0, 14.5, 10.5)  # by arc, straddlers first; memory
_LENGTH_BY_ROW = (0.85, 0.95, 1.0, 1.0, 0.9)
_BACK_DEG = (122.0, 108.0, 93.0, 78.0, 63.0)  # by arc: from straight ahead, at rest; memory
_UP_DEG = (42.0, 22.0, 0.0, -22.0, -42.0)  # by row; memory
_PAD_MM = (9.0, 3.1, -1.0)  # middle of the left pad (C2) in the frame of the skull: on the side of our model's snout
_ARC_MM, _ROW_MM = 1.15, 0.9  # between arcs and rows; memory

YOUNG_PA, DENSITY = 3.3e9, 1.3e3  # of a whisker (Quist 2011 J Neurophysiol 105:1950 has 2.9-4 GPa); kg/m^3, memory
BASE_RADIUS_PER_LENGTH = 1.9e-3  # 40 um at 21 mm (memory): a cone from here to a point
RELAX_S = 0.004  # of a bent whisker in its follicle (assumed): whiskers are strongly damped there
REACH_RAD = math.radians(30.0)  # protraction at command 1, retraction at -1 (memory: mice sweep about +-25 deg)
CONTACT_RADIUS_M = 1.0e-4


@dataclass(frozen=True)
class Array3D:
    """The left array in the frame of the skull (x ahead, y left, z up), SI. Sides mirror in y."""

    base_m: Array  # (24, 3)
    way: Array  # (24, 3) unit vectors at rest
    length_m: Array  # (24,)

    @property
    def radius_m(self) -> Array:
        """(24,) at the base."""
        return BASE_RADIUS_PER_LENGTH * self.length_m

    @property
    def stiffness_Nm_per_rad(self) -> Array:
        """(24,) of a force at the tip against the turn of the straight rod: 3 E I / L, with I of the base, which is the
        stiffest it can be; a cone bends more the further out it is pushed (Birdwell 2007 J Neurophysiol 98:3439)."""
        return np.asarray(3 * YOUNG_PA * math.pi * self.radius_m**4 / 4 / self.length_m)

    @property
    def mass_kg(self) -> Array:
        return np.asarray(DENSITY * math.pi * self.radius_m**2 * self.length_m / 3)


def whisker_array() -> Array3D:
    """The left array."""
    base, way, length = np.zeros((24, 3)), np.zeros((24, 3)), np.zeros(24)
    for i, name in enumerate(WHISKERS):
        straddles = name in STRADDLERS
        arc = 0 if straddles else int(name[1])
        row = STRADDLERS.index(name) + 0.5 if straddles else float(ROWS.index(name[0]))
        length[i] = 1e-3 * _LENGTH_MM[arc] * np.interp(row, range(5), _LENGTH_BY_ROW)
        back, up = math.radians(_BACK_DEG[arc]), math.radians(float(np.interp(row, range(5), _UP_DEG)))
        way[i] = math.cos(back) * math.cos(up), math.sin(back) * math.cos(up), math.sin(up)
        ahead = _ARC_MM * (arc - 2)
        at = np.array([ahead, -0.16 * ahead - 0.12 * (row - 2) ** 2, -_ROW_MM * (row - 2)])
        base[i] = 1e-3 * (at + _PAD_MM)
    return Array3D(base, way, length)


def add_whiskers(spec: mujoco.MjSpec, skull: mujoco.MjsBody, units: Units) -> None:
    """Both arrays: each whisker a rod on two hinges, `whisker_<name>_<side>` (protraction) and `..._up`, with springs;
    one muscle a side, `whisk_<side>`, pulls at all protraction hinges, each by its stiffness, so that free whiskers
    move together by REACH_RAD at command 1 and each one alone gives way."""
    array = whisker_array()
    torque = units.torque
    for side, sign in (("L", 1), ("R", -1)):
        tendon = spec.add_tendon(name=f"whisk_{side}")
        for i, name in enumerate(WHISKERS):
            mirror = np.array([1, sign, 1])
            way, length = array.way[i] * mirror, array.length_m[i] / units.length
            k = array.stiffness_Nm_per_rad[i] / torque
            body = skull.add_body(name=f"whisker_{name}_{side}", pos=array.base_m[i] * mirror / units.length)
            across = np.cross([0, 0, 1.0], way)
            common = {
                "stiffness": [k, 0, 0],
                "damping": [k * RELAX_S, 0, 0],
                "limited": mujoco.mjtLimited.mjLIMITED_FALSE,
            }
            body.add_joint(name=f"whisker_{name}_{side}", axis=[0, 0, -sign], **common)  # + is protraction
            body.add_joint(name=f"whisker_{name}_{side}_up", axis=-across / np.linalg.norm(across), **common)
            body.add_geom(
                name=f"whisker_{name}_{side}",
                type=mujoco.mjtGeom.mjGEOM_CAPSULE,
                fromto=[0, 0, 0, *(way * length)],
                size=[CONTACT_RADIUS_M / units.length, 0, 0],
                mass=array.mass_kg[i] / units.mass,
                rgba=[0.15, 0.13, 0.12, 1],
                group=2,
                contype=1,
                conaffinity=0,
                condim=1,
            )
            tendon.wrap_joint(f"whisker_{name}_{side}", array.stiffness_Nm_per_rad[i] / torque)
        spec.add_actuator(
            name=f"whisk_{side}",
            trntype=mujoco.mjtTrn.mjTRN_TENDON,
            target=f"whisk_{side}",
            gainprm=[REACH_RAD, *[0] * 9],
            ctrllimited=True,
            ctrlrange=[-1, 1],
        )
