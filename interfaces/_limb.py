"""The chain of hinges from a body to a site at the end of a limb, for many postures at a time: where it is, and which
angles bring it somewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from bestiary.bodies._base import Array


@dataclass(frozen=True)
class Limb:
    """n hinges. Lengths are in the model's unit, in the frame of the body `root`."""

    links: tuple[tuple[Array, Array, tuple[tuple[Array, Array, int], ...]], ...]  # offset, turn, (axis, anchor, joint)
    tip: Array  # (3,) in the last link
    low: Array  # (n,) limits, rad
    high: Array
    damping: float = 3e-3  # of `solve`, as a share of the reach

    @classmethod
    def of(
        cls,
        model: mujoco.MjModel,
        joints: Sequence[str],
        site: str,
        root: str,
        margin_rad: float = 0.02,
        damping: float = 3e-3,
    ) -> Limb:
        """joints: names, in the order of every array; hinges of the chain that are not named stay at 0."""
        number = {name: i for i, name in enumerate(joints)}
        end = model.site(site)
        links, body = [], int(end.bodyid[0])
        while model.body(body).name != root:
            first = model.body_jntadr[body]
            own = [j for j in range(first, first + model.body_jntnum[body]) if model.joint(j).name in number]
            hinges = tuple(
                (model.jnt_axis[j].copy(), model.jnt_pos[j].copy(), number[model.joint(j).name]) for j in own
            )
            turn = np.zeros(9)
            mujoco.mju_quat2Mat(turn, model.body_quat[body])
            links.append((model.body_pos[body].copy(), turn.reshape(3, 3), hinges))
            body = int(model.body_parentid[body])
        limits = np.array([model.jnt_range[model.joint(name).id] for name in joints])
        return cls(
            tuple(reversed(links)), end.pos.copy(), limits[:, 0] + margin_rad, limits[:, 1] - margin_rad, damping
        )

    def forward(self, angle: Array) -> tuple[Array, Array, Array, Array]:
        """From angles (m, n) rad: tip (m, 3), axes (m, 3, 3) of the last link, and the Jacobians of the tip (m, 3, n)
        and of the height of the link's own x axis (m, n)."""
        m, n = angle.shape
        place, turn = np.zeros((m, 3)), np.broadcast_to(np.eye(3), (m, 3, 3))
        axes, anchors = np.zeros((n, m, 3)), np.zeros((n, m, 3))
        for offset, fixed, hinges in self.links:
            place = place + turn @ offset
            turn = turn @ fixed
            for axis, anchor, j in hinges:
                axes[j], anchors[j] = turn @ axis, place + turn @ anchor
                turn = turn @ rotation(axis, angle[:, j])
                place = anchors[j] - turn @ anchor
        tip = place + turn @ self.tip
        return tip, turn, np.cross(axes, tip - anchors).transpose(1, 2, 0), np.cross(axes, turn[:, :, 0])[..., 2].T

    def solve(
        self,
        target: Array,
        start: Array,
        rest: Array | None = None,
        steps: int = 30,
        home: float = 0.2,
        rise: Array | None = None,
    ) -> Array:
        """Angles (m, n) that bring the tip to target (m, 3), else as near as the limits allow.

        Damped least squares; what the target leaves free stays near `rest` (n,) or (m, n), by the share `home` a step.
        rise (m,): the sine at which the last link's x axis is to rise, NaN where it does not matter.
        """
        angle = np.array(np.broadcast_to(start, (len(target), len(self.low))), float)
        rest = np.asarray(start if rest is None else rest)
        reach = np.abs(self.tip).max() + sum(np.abs(o).max() for o, _, _ in self.links)
        wish_rise = np.full(len(target), np.nan) if rise is None else rise
        free_rise = np.isnan(wish_rise)
        for _ in range(steps):
            tip, turn, jacobian, tilts = self.forward(angle)
            error, back_home, free = target - tip, home * (rest - angle), np.ones_like(angle)
            if not free_rise.all():
                arm = 0.2 * reach
                jacobian = np.concatenate([jacobian, arm * np.where(free_rise[:, None], 0, tilts)[:, None]], 1)
                error = np.concatenate([error, arm * np.where(free_rise, 0, wish_rise - turn[:, 2, 0])[:, None]], 1)
            for _ in range(3):  # joints that would leave their range stand still, the others take over
                able = jacobian * free[:, None]
                square = able @ able.transpose(0, 2, 1) + (self.damping * reach) ** 2 * np.eye(able.shape[1])
                back = np.linalg.solve(square, able).transpose(0, 2, 1)
                wish = back_home * free
                step = (back @ (error - (able @ wish[..., None])[..., 0])[..., None])[..., 0] + wish
                step = np.clip(step, -0.3, 0.3)
                free = free * ~(((angle <= self.low) & (step < 0)) | ((angle >= self.high) & (step > 0)))
            angle = np.clip(angle + step * free, self.low, self.high)
        return angle


def rotation(axis: Array, angle: Array) -> Array:
    """(m, 3, 3) rotations about one axis (Rodrigues)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.asarray(np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross))
