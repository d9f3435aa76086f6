"""How a larval fish is drawn: a see-through skin with a darker back and its fin fold, and two cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from bestiary.bodies._fish_shape import outline_m

if TYPE_CHECKING:
    from bestiary.bodies.zebrafish import Zebrafish

Array = np.ndarray[Any, np.dtype[Any]]


def draw(spec: mujoco.MjSpec, root: Any, body: Zebrafish) -> None:
    """A see-through skin with a darker back, eyes and fins, and two cameras. Ground and light are the world's."""
    mm = 1e-3 / body.units.length
    spec.stat.extent = 8 * mm
    spec.stat.center = [0, 0, 0]
    spec.visual.map.znear = 0.01
    spec.visual.map.zfar = 100
    root.add_camera(name="tracking", mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM, pos=[0, 0, 12 * mm], fovy=35)
    spec.worldbody.add_camera(name="overview", pos=[0, 0, 60 * mm], fovy=40)
    _skin(spec, body, "skin", np.linspace(0, 2 * np.pi, 25), 1.0, [0.80, 0.74, 0.60, 1])
    _skin(spec, body, "back", np.radians(np.linspace(-32, 32, 7)), 1.015, [0.30, 0.26, 0.18, 1])
    _skin(spec, body, "fold", np.array([0.0, np.pi]), 1.0, [0.85, 0.82, 0.74, 0.75], fins=True)


def _skin(
    spec: mujoco.MjSpec, body: Zebrafish, name: str, angle: Array, swell: float, rgba: list[float], fins: bool = False
) -> None:
    """A tube (angle from dorsal), a strip of it, or the median fin fold, bent with the two nearest links."""
    n, u = body.n_links, body.units.length
    size = body.length_m / u
    along = np.unique(np.concatenate([(1 - np.cos(np.linspace(0, np.pi, 40))) / 2, np.linspace(0, 1, 50)]))
    w, h, fin = outline_m(along, body.length_m) / u
    up = fin if fins else h * swell
    vertices = np.stack(
        [
            np.repeat((0.5 - along) * size, len(angle)),
            np.outer(w * swell * (not fins), np.sin(angle)).ravel(),
            np.outer(up, np.cos(angle)).ravel(),
        ],
        axis=1,
    )
    corner = (np.arange(len(along) - 1)[:, None] * len(angle) + np.arange(len(angle) - 1)).ravel()
    across, ahead = corner + 1, corner + len(angle)
    faces = np.concatenate([np.stack(f, 1) for f in ((corner, across, ahead), (across, ahead + 1, ahead))])
    if fins:
        faces = np.concatenate([faces, faces[:, ::-1]])
    middles = (body.edges_m[1:] + body.edges_m[:-1]) / 2 / body.length_m
    middles[0] = body.edges_m[1] / body.length_m - 0.02  # the head is rigid up to its end
    nearness = np.stack([np.interp(along, middles, np.eye(n)[i]) for i in range(n)])
    owned = [np.flatnonzero(weight) for weight in nearness]
    # the frame of a link is at its joint, the head's in its own middle
    frames = (0.5 - np.concatenate([[body.edges_m[1] / 2], body.edges_m[1:-1]]) / body.length_m) * size
    spec.add_skin(
        name=name,
        rgba=rgba,
        vert=vertices.ravel().tolist(),
        face=faces.ravel().tolist(),
        bodyname=[f"link{i:02d}" for i in range(n)],
        bindpos=np.stack([frames, 0 * frames, 0 * frames], 1).ravel().tolist(),
        bindquat=np.tile([1.0, 0, 0, 0], n).tolist(),
        vertid=[(o[:, None] * len(angle) + np.arange(len(angle))).ravel().tolist() for o in owned],
        vertweight=[np.repeat(wt[o], len(angle)).tolist() for wt, o in zip(nearness, owned, strict=True)],
    )
