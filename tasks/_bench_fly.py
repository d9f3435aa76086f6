"""What the fly's eyes cost: cast rays against rendered pictures of the same field, beside the body's own physics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np

import bestiary
from bestiary.bodies._base import Array
from bestiary.bodies._eye import RGB, Eye, fly_retina
from bestiary.envs._clock import Clock
from bestiary.errors import RenderError

PIXELS = 128  # of a 150-degree picture: 3.3 deg in its middle, 0.2 deg at its rim
CAMERAS = ("eye_left", "eye_right")


class Rendered:
    """The same luminance (eyes, n) from one picture a camera, resampled to the receptors; 0 outside the picture."""

    def __init__(self, model: mujoco.MjModel, eye: Eye) -> None:
        from bestiary.envs._render import Picture

        self.eye, self._picture = eye, Picture(model, PIXELS, PIXELS)
        rest = mujoco.MjData(model)
        mujoco.mj_kinematics(model, rest)
        mujoco.mj_camlight(model, rest)
        self._pixel, self._inside = [], []
        n = eye.retina.directions.shape[1]
        for e, camera in enumerate(eye.cameras):
            ways = eye.rays[e].reshape(n, -1, 3).mean(1) @ rest.xmat[eye.body].reshape(3, 3).T
            right, up, back = (ways @ rest.cam_xmat[camera].reshape(3, 3)).T
            half = np.tan(np.radians(model.cam_fovy[camera]) / 2)
            with np.errstate(divide="ignore", invalid="ignore"):
                column, row = (0.5 + 0.5 * right / -back / half), (0.5 - 0.5 * up / -back / half)
            inside = (back < 0) & (column >= 0) & (column < 1) & (row >= 0) & (row < 1)
            self._inside.append(inside)
            self._pixel.append((row[inside] * PIXELS).astype(int) * PIXELS + (column[inside] * PIXELS).astype(int))

    def see(self, data: mujoco.MjData) -> Array:
        seen = np.zeros(self.eye.retina.directions.shape[:2], np.float32)
        for e, camera in enumerate(self.eye.cameras):
            view = mujoco.MjvCamera()
            view.type, view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, int(camera)
            picture = self._picture.draw(data, view).reshape(-1, 3)
            seen[e, self._inside[e]] = picture[self._pixel[e]] @ np.array(RGB) / 255
        return seen

    def close(self) -> None:
        self._picture.close()


def bench(quick: bool = False) -> tuple[dict[str, Any], list[tuple[str, Any, str]]]:
    """What `bestiary bench fly` adds: (for JSON, rows of its table). CPU times of this process."""
    costs = eye_costs(5 if quick else 30)
    rows: list[tuple[str, Any, str]] = [
        ("2 x 721 ommatidia at 100 Hz by rays, as they ship", costs["rays"] / costs["body"], "times the standing body"),
        ("  by rendered pictures", costs["pictures"] and costs["pictures"] / costs["body"], "times the standing body"),
        ("both optic lobes", costs["lobes"], "s a second of life"),
    ]
    return {"eyes": costs}, rows


def eye_costs(frames: int = 30, hz: float = 100.0) -> dict[str, Any]:
    """Seconds of one core per simulated second: `rays` and `pictures` (None where nothing can be drawn) at `hz`, the
    fly's `body` under its standing action, and `lobes`, both optic lobes with their read-outs. Process time, medians.
    """
    from bestiary.brains._visual import build
    from bestiary.tasks._arena import ground

    body = bestiary.load("bodies", "fly").BODY()
    spec = body.spec()
    ground(spec, body, 0.1)
    spec.visual.global_.offwidth = spec.visual.global_.offheight = PIXELS
    model = spec.compile()
    data, bound = mujoco.MjData(model), body.bind(model)
    body.place(bound, model, data, np.zeros(3), 0.0)
    eye = Eye.of(model, fly_retina(), CAMERAS, body.units.length)
    clock = Clock(body.control_s, body.physics_s, body.physics_s)
    out: dict[str, Any] = {"rays": hz * _seconds(lambda: eye.see(model, data, None, 0.0), frames), "pictures": None}
    try:
        rendered = Rendered(model, eye)
        out["pictures"] = hz * _seconds(lambda: rendered.see(data), frames)
        rendered.close()
    except RenderError as error:
        out["why"] = str(error)
    body.apply(bound, data, body.neutral)
    steps = clock.physics_steps * 5
    out["body"] = _seconds(lambda: mujoco.mj_step(model, data, steps), 10) / (5 * clock.control_s)
    part = build(clock)
    state = part.init(0)
    luminance = eye.see(model, data, None, 0.0)

    def period() -> None:
        nonlocal state
        for _ in range(part.every):
            state = part.advance(state, part.lit(luminance))

    out["lobes"] = _seconds(period, frames) / (part.every * clock.control_s)
    return out


def _seconds(work: Callable[[], Any], times: int) -> float:
    work()
    took = []
    for _ in range(times):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return float(np.median(took))
