"""The senses of a larval fish: their list, and what each tells of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np

from bestiary.bodies._base import Array, Sense, World
from bestiary.bodies._fish_bound import Bound
from bestiary.bodies._fish_retina import LOOKS, covered, fish_retina, levelled

if TYPE_CHECKING:
    from bestiary.bodies.zebrafish import Zebrafish

_LOOK_S = 0.01
_AT_NOSE = np.zeros(2)
_EARS = np.zeros(2, int)  # both lie in the head


def senses(body: Zebrafish) -> tuple[Sense, ...]:
    """What a fish tells of itself and its water, in the order of the observation."""
    n = body.n_links
    seen: tuple[Sense, ...] = ()
    if body.eyes:
        shape = (2, len(fish_retina("L").directions[0]))
        seen = (
            Sense("luminance", shape, 0, 1, "1", "what each pixel of the two eyes sees", rest=0.5),
            Sense("uv", shape, 0, 1, "1", "small things that shine in the ultraviolet (geoms `prey...`)"),
        )
    return (
        *seen,
        Sense("joint_rad", (n - 1,), -3, 3, "rad", "bend of each joint of the tail, + concave to the left"),
        Sense("joint_rad_per_s", (n - 1,), -2e3, 2e3, "rad/s", "its speed"),
        Sense("eye_rad", (2,), -1, 1, "rad", "eyes in the head, + to the left"),
        Sense("gravity", (3,), -1, 1, "1", "which way is down, in the head (utricle): x ahead, y left, z up"),
        Sense("gyro_rad_per_s", (3,), -2e3, 2e3, "rad/s", "turning of the head about its axes (canals)"),
        Sense("lateral_m_per_s", (n, 2), -5, 5, "m/s", "water past each link, along to the tail and to the left"),
        Sense("depth_m", (1,), -1, 1, "m", "below the plane z = 0"),
        Sense("sound_m_per_s2", (2,), -1e3, 1e3, "m/s^2", "water moved at the ears by a tap", external=True),
        Sense("touch_N", (n,), 0, 1e-3, "N", "force on the skin of each link", external=True),
        Sense("temperature_C", (2,), 0, 50, "degC", "at the skin of the head", external=True, rest=26.0),
    )


def felt(body: Zebrafish, bound: Bound, data: mujoco.MjData, world: World) -> dict[str, Array]:
    """Observation: every `Sense` by name, float32, within its bounds."""
    size, now, sites = body.units.length, data.time, data.site_xpos
    skin = sites[bound.links] * size
    speed = data.actuator_velocity
    lateral = np.stack([speed[bound.along][bound.carrier], -speed[bound.across]], axis=1) * size
    lateral[:, 1] += world.sample("lateral_m_per_s", skin, bound.link_fraction, now)  # a jet, + to the left
    told = {
        "joint_rad": data.qpos[bound.bend],
        "joint_rad_per_s": data.qvel[bound.bend_dof],
        "eye_rad": data.qpos[bound.eyes],
        "gravity": -data.xmat[bound.body, 6:9],
        "gyro_rad_per_s": data.qvel[bound.spin],
        "lateral_m_per_s": lateral,
        "depth_m": -skin[:1, 2],
        "sound_m_per_s2": world.sample("sound_m_per_s2", skin[_EARS], _AT_NOSE, now),
        "touch_N": world.sample("touch_N", skin, bound.link_fraction, now),
        "temperature_C": world.sample("temperature_C", skin[_EARS], _AT_NOSE, now),
    }
    low, high, parts = bound.bounds  # all at once: ten small arrays one by one take ten times as long
    flat = np.concatenate([told[name].ravel() for name, _, _ in parts])
    flat = np.minimum(np.maximum(flat, low), high).astype(np.float32)
    seen = _see(body, bound, data, world) if body.eyes else {}
    return {**seen, **{name: flat[at].reshape(shape) for name, at, shape in parts}}


def _see(body: Zebrafish, bound: Bound, data: mujoco.MjData, world: World) -> dict[str, Array]:
    """Both retinas, taken anew 100 times a second; between, they stand in `userdata`, which is saved: what is told
    of light and ultraviolet, then the last looks, one of each ray of a pixel, of which the former is the mean."""
    eyes = bound.eye
    held = data.userdata[: (2 + LOOKS) * len(eyes) * eyes[0][0].rays.shape[1]].reshape(2 + LOOKS, len(eyes), -1)
    if round(data.time / 1e-3) % round(1e3 * _LOOK_S) == 0:
        look = round(data.time / _LOOK_S)
        for i, eye in enumerate(eyes):
            axes = levelled(data.xmat[eye[0].body], body.gaze_gain)
            for k in range(LOOKS) if look == 0 else (look % LOOKS,):
                held[2 + k, i] = eye[k].see(bound.model, data, world, data.time, axes)[0]
            held[1, i] = 0
            if len(bound.prey):
                ways = eye[0].retina.directions[0] @ axes.T
                places, radii = data.geom_xpos[bound.prey], bound.model.geom_size[bound.prey, 0]
                held[1, i] = covered(ways, data.cam_xpos[eye[0].cameras[0]], places, radii)
        held[0] = held[2:].mean(0).clip(0, 1)
    return {"luminance": held[0].astype(np.float32), "uv": held[1].astype(np.float32)}
