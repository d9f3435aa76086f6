"""What the fly's legs feel: load, contact, place and the slope, told to the cord."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.bodies.fly import LEGS
from bestiary.interfaces._fly_template import GRID_MM, JOINTS, Template, side


class Proprioception:
    """What the legs feel, as drive of named units of the cord.

    load: 10 mV for the whole weight on one leg; contact: 10 mV for a claw that touches; behind: 5 mV with the foot in
    the middle of its stance, 10 mV 1 mm behind it, from the joint angles (a linear read-out of the step template).
    uphill, downhill, slant (the side that is lower): 10 mV times the share of gravity along that axis, as Johnston's
    organs feel it (Kamikouchi 2009 Nature 458:165).
    """

    def __init__(self, body: Any, template: Template, units: Sequence[str], weight_N: float = 8.7e-6) -> None:
        row = {name: i for i, name in enumerate(units)}
        self._weight = weight_N
        self._load = np.array([row[f"load_{leg}"] for leg in LEGS])
        self._contact = np.array([row[f"contact_{leg}"] for leg in LEGS])
        self._behind = np.array([row[f"behind_{leg}"] for leg in LEGS])
        self._slope = np.array([row[name] for name in ("uphill", "downhill", "slant_L", "slant_R")])
        self._joints = np.array([[body.joints.index(f"{j}_{side(leg)}") for j in JOINTS] for leg in LEGS])
        ahead = np.repeat(GRID_MM[0], len(GRID_MM[1]) * len(GRID_MM[2]))
        self._fit = np.zeros((6, 8))
        for i in range(6):
            angle = template.table[i].reshape(-1, 7)
            self._fit[i] = np.linalg.lstsq(np.c_[angle, np.ones(len(angle))], ahead, rcond=None)[0]

    def encode(self, obs: Mapping[str, Array], drive: Array) -> None:
        """drive (n,) mV takes what an observation of the body drives."""
        ahead = (self._fit[:, :7] * obs["joint_rad"][self._joints]).sum(1) + self._fit[:, 7]
        x, y, _ = obs["gravity"].tolist()
        drive[self._load] = 10 / self._weight * obs["leg_load_N"]
        drive[self._contact] = 10.0 * (obs["claw_contact_N"] > 1e-8)
        drive[self._behind] = np.minimum(np.maximum(5 - 5 * ahead, 0), 15)
        drive[self._slope] = -10 * x, 10 * x, 10 * y, -10 * y
