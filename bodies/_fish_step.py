"""What water and bottom do to a larval fish in a step: speeds for its drags, a push off the ground."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from bestiary.bodies._fish_bound import Bound

if TYPE_CHECKING:
    from bestiary.bodies.zebrafish import Zebrafish


def before_step(body: Zebrafish, bound: Bound, data: mujoco.MjData) -> None:
    """Gives the drags the present speeds, and stands the fish on the bottom."""
    views = bound.views
    if views[0] is not data:  # looking these up takes a tenth of a step
        views[:] = data, data.actuator_velocity[bound.drags], data.ctrl[bound.drags], data.qpos
    _, speed, given, qpos = views
    np.abs(speed, given)
    if body.reactive:
        old = data.userdata[bound.memory]
        np.multiply(bound.added_rate, old, bound.offset)
        np.add(old, bound.keep * (speed - old), old)
    elif bound.resting.item():
        bound.offset[:] = bound.resting[0] = 0
    if qpos.item(bound.root_z) < bound.near_bottom:
        depth = bound.bottom + bound.half_height - data.site_xpos[bound.up_sites, 2]
        bound.offset[bound.up] += bound.hold * np.maximum(depth, 0)
        bound.resting[0] = True


def before_steps(body: Zebrafish, bound: Bound, batch: Any) -> None:
    """`before_step` of all fish of a batch."""
    speed = batch.actuator_velocity[:, bound.drags]
    np.abs(speed, batch.ctrl[:, bound.drags])
    if body.reactive:
        old = batch.userdata[:, bound.memory]
        np.multiply(bound.added_rate, old, bound.offset)
        np.add(old, bound.keep * (speed - old), old)
    elif bound.resting.any():
        bound.offset[bound.resting] = bound.resting[:] = 0
    if len(low := np.flatnonzero(batch.qpos[:, bound.root_z] < bound.near_bottom)):
        depth = bound.bottom + bound.half_height - batch.site_xpos[low][:, bound.up_sites, 2]
        bound.offset[low, bound.up] += bound.hold * np.maximum(depth, 0)
        bound.resting[low] = True
