"""Eyes that cast rays: one direction (or a few) for each ommatidium or pixel, and what light comes from there.

What a ray meets is coloured by the task where the task paints (`World.sample("luminance", ...)` is a number there),
else by the geom that it meets, else by the sky. Surfaces are taken as matt and evenly lit: no shading, no shadows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bestiary.bodies._hex import hexagons, plane
from bestiary.envs._streams import stream
from bestiary.errors import BestiaryError

if TYPE_CHECKING:
    import mujoco

    from bestiary.bodies._base import World

Array = np.ndarray[Any, np.dtype[Any]]

SENSE = "luminance"
SKY_M = 1.0  # where a ray that meets nothing asks the task: so far from the eye
RGB = (0.1, 0.5, 0.4)  # of R1-R6 (Rh1, 478 nm): red is hardly seen (Salcedo 1999 J Neurosci 19:10716); shares ours
FLY_ACCEPTANCE_RAD = math.radians(5.0)  # full width at half maximum: about 5 deg (Gotz 1964; Stavenga 2003)


@dataclass(frozen=True)
class Retina:
    """Where the receptors of all eyes of an animal look. Frame of the head: x ahead, y left, z up.

    directions: (eyes, n, 3) unit vectors. axial (n, 2): their columns in a hexagonal lattice, empty for other retinas.
    acceptance_rad: full width at half maximum of the Gaussian that a receptor averages over.
    pale (eyes, n) bool: ommatidia whose R8 sees blue; the others (yellow) see green.
    """

    directions: Array
    acceptance_rad: float
    axial: Array
    pale: Array

    def __post_init__(self) -> None:
        d = self.directions
        if d.ndim != 3 or d.shape[2] != 3 or abs(np.linalg.norm(d, axis=-1) - 1).max(initial=0) > 1e-6:
            raise BestiaryError(f"directions are unit vectors (eyes, n, 3), got shape {d.shape}; divide by their norm")


def fly_retina(
    across_deg: float = 5.33, along_deg: float = 5.2, overlap_deg: float = 18.0, radius: int = 15, seed: int = 0
) -> Retina:
    """Both eyes of a fly, left first: 721 hexagonal ommatidia each, (2, 721, 3).

    across_deg: between the columns of one row, front to back; along_deg: within a column, up and down. Together 4.1 to
    6 deg between neighbours, 5.3 on the mean; measured are 4.5 to 6 (Buchner 1971, Heisenberg & Wolf 1984, recall).
    overlap_deg: of the two eyes in front (15-20, Heisenberg & Wolf 1984, recall); the lattice is laid around an axis to
    the side, equidistant from there, so the eyes see from 9 deg across the midline to 151 deg back.
    seed: of the random 30 % of pale ommatidia (Franceschini 1981; Bell 2007).
    """
    axial = hexagons(radius)
    x, y = plane(axial).T
    x, y = np.radians(x * across_deg / (math.sqrt(3) / 2)), np.radians(y * along_deg)
    reach = np.hypot(x, y)
    azimuth = math.radians(radius * across_deg - overlap_deg / 2)
    axis = np.array([math.cos(azimuth), math.sin(azimuth), 0.0])
    front = np.array([math.sin(azimuth), -math.cos(azimuth), 0.0])
    share = np.sinc(reach / np.pi)[:, None]  # sin(reach) / reach
    left = np.cos(reach)[:, None] * axis + share * (x[:, None] * front + y[:, None] * np.array([0.0, 0.0, 1.0]))
    pale = stream(seed, "ommatidia").random((2, len(axial))) < 0.3
    return Retina(np.stack([left, left * [1, -1, 1]]), FLY_ACCEPTANCE_RAD, axial, pale)


@dataclass(frozen=True)
class Eye:
    """The eyes of an animal in a compiled model. `Eye.of(model, fly_retina(), ("eye_left", "eye_right"), unit_m)`.

    `see` is what R1-R6 get. The animal's own geoms are not seen.
    """

    retina: Retina
    rays: Array  # (eyes, n * k, 3) in the frame of the body that carries the eyes
    cameras: Array  # (eyes,) rows of the cameras where the rays begin
    body: int
    groups: Array  # (6,) uint8: geom groups that are seen
    unit_m: float
    surfaces: dict[str, Array]
    sky: Array  # (3,) rgb

    @classmethod
    def of(
        cls,
        model: mujoco.MjModel,
        retina: Retina,
        cameras: Sequence[str],
        unit_m: float,
        rays: int = 3,
        sky: Sequence[float] = (0.7, 0.7, 0.7),
    ) -> Eye:
        """cameras: names, one an eye, of where the eyes sit. unit_m: metres per model unit.

        rays: for each receptor. 1 looks along its axis; 3 or more stand on a ring about it with the variance of the
        Gaussian acceptance. sky: rgb 0..1. The frame of the head is that of the world in the model's rest posture.
        Raises BestiaryError for a geom of the world that shares its group with the animal's own.
        """
        import mujoco

        if rays not in (1, 3, 4, 5, 6, 7):
            raise BestiaryError(f"an ommatidium has 1, or 3 to 7 rays, got {rays}")
        rows = np.array([model.camera(name).id for name in cameras])
        body = int(model.cam_bodyid[rows[0]])
        own = model.body_rootid[model.geom_bodyid] == model.body_rootid[body]
        drawn = ~own & ((model.geom_matid >= 0) | (model.geom_rgba[:, 3] > 0))  # a clear geom stops no ray
        groups = np.zeros(6, np.uint8)
        groups[np.unique(model.geom_group[drawn])] = 1
        if (both := drawn & np.isin(model.geom_group, model.geom_group[own])).any():
            name = model.geom(int(np.flatnonzero(both)[0])).name
            free = [g for g in range(3) if g not in model.geom_group[own]]
            raise BestiaryError(f"geom {name!r} is in a group that the animal itself uses, so its eyes cannot see it; "
                                f"put it into group {free[0] if free else 'that is free'}")  # fmt: skip
        rest = mujoco.MjData(model)
        mujoco.mj_kinematics(model, rest)
        to_body = rest.xmat[body].reshape(3, 3).T
        directions = _ring(retina, rays) @ to_body.T
        return cls(retina, directions, rows, body, groups, unit_m, _surfaces(model), np.asarray(sky, float))

    def see(
        self, model: mujoco.MjModel, data: mujoco.MjData, world: World | None, time_s: float, axes: Array | None = None
    ) -> Array:
        """Luminance (eyes, n) float32, 0..1: the mean over each receptor's rays of RGB * colour.

        axes (3, 3): of the eyes in the world, for those that reflexes turn; None takes the body that carries them.
        world: paints where its `sample` gives a number, asked at the places that the rays meet (or SKY_M away); where
        it gives NaN, and with world None, the scene is seen.
        """
        sky = self.sky @ np.array(RGB)[:, None]
        return self._light(model, data, world, time_s, self.surfaces["grey"], sky, axes)[..., 0]

    def colours(self, model: mujoco.MjModel, data: mujoco.MjData, world: World | None, time_s: float) -> Array:
        """rgb (eyes, n, 3) float32, 0..1, that reaches each receptor; a task paints in grey."""
        return self._light(model, data, world, time_s, self.surfaces["rgb"], self.sky)

    def see_r8(self, colours: Array) -> Array:
        """What R8 gets of `colours` (eyes, n, 3): blue in pale ommatidia, green in yellow ones. (eyes, n) float32."""
        return np.where(self.retina.pale, colours[..., 2], colours[..., 1])

    def _light(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        world: World | None,
        time_s: float,
        of: Array,
        sky: Array,
        axes: Array | None = None,
    ) -> Array:
        """(eyes, n, c) float32 of geoms whose colours are `of` (ngeom, c)."""
        import mujoco

        eyes, n = self.rays.shape[:2]
        ways = self.rays.reshape(-1, 3) @ (data.xmat[self.body].reshape(3, 3) if axes is None else axes).T
        geom, distance = np.empty((eyes, n), np.int32), np.empty((eyes, n))
        for e in range(eyes):
            start, way = data.cam_xpos[self.cameras[e]], ways[e * n : (e + 1) * n].ravel()
            mujoco.mj_multiRay(model, data, start, way, self.groups, 1, -1, geom[e], distance[e], None, n, 1e6)
        geom, distance = geom.ravel(), distance.ravel()
        free = geom < 0
        distance[free] = SKY_M / self.unit_m
        starts = np.repeat(data.cam_xpos[self.cameras], n, 0)
        places = starts + ways * distance[:, None]
        seen = of[geom]
        seen[free] = sky
        for flat in self.surfaces["planes"]:
            if len(hit := np.flatnonzero(geom == flat)):
                seen[hit] = self._tiles(model, data, int(flat), starts[hit], places[hit], of)
        if world is not None:
            painted = np.asarray(world.sample(SENSE, places * self.unit_m, np.zeros(eyes * n), time_s))
            seen = np.where(np.isnan(painted)[:, None], seen, painted[:, None])
        k = n // self.retina.directions.shape[1]
        return seen.reshape(eyes, -1, k, seen.shape[1]).mean(2).astype(np.float32)

    def _tiles(
        self, model: mujoco.MjModel, data: mujoco.MjData, geom: int, starts: Array, places: Array, of: Array
    ) -> Array:
        """(m, c) of a textured plane, fading to its mean where a tile is smaller than what a receptor sees."""
        material = int(model.geom_matid[geom])
        pixels = self.surfaces[f"{'rgb' if of.shape[1] == 3 else 'grey'} {geom}"]
        h, w = pixels.shape[:2]
        axes = data.geom_xmat[geom].reshape(3, 3)
        local = (places - data.geom_xpos[geom]) @ axes[:, :2]
        repeat = model.mat_texrepeat[material].astype(float)
        if not model.mat_texuniform[material]:
            repeat = repeat / np.maximum(2 * model.geom_size[geom, :2], 1e-9)
        at = local * repeat
        at -= np.floor(at)
        seen = pixels[(at[:, 1] * h).astype(int) % h, (at[:, 0] * w).astype(int) % w]
        # tiles within one receptor's view, which a flat look draws out along the ground
        away = starts - places
        height = np.maximum(np.abs(away @ axes[:, 2]), 1e-9)
        blurred = self.retina.acceptance_rad * (away * away).sum(1) / height * repeat.max()
        return np.asarray(of[geom] + (seen - of[geom]) / (1 + blurred[:, None] ** 2))


class Sight:
    """What eyes see at every whole multiple of frame_s, held in between: `sight(data, world)` in a body's `sense`.

    The frame is taken anew in another period or at time 0. After a jump to another moment, `hold` what was seen then.
    """

    def __init__(self, eye: Eye, frame_s: float = 0.01) -> None:
        self.eye, self.frame_s = eye, frame_s
        self._tick, self._frame = -1, np.empty(0, np.float32)

    def __call__(self, data: mujoco.MjData, world: World | None) -> Array:
        """Luminance (eyes, n) float32."""
        tick = self._ticks(data)
        if tick != self._tick or data.time == 0:
            self._tick, self._frame = tick, self.eye.see(data.model, data, world, data.time)
        return self._frame

    def hold(self, data: mujoco.MjData, frame: Array) -> None:
        """Takes `frame` for what was seen last, after a jump to another moment."""
        self._tick, self._frame = self._ticks(data), np.array(frame, np.float32)

    def fresh(self) -> Sight:
        """The same eyes of another animal, which has seen nothing yet."""
        return Sight(self.eye, self.frame_s)

    def _ticks(self, data: mujoco.MjData) -> int:
        return math.floor(data.time / self.frame_s + 1e-6)


def _ring(retina: Retina, rays: int) -> Array:
    """(eyes, n * rays, 3): equal rays on a cone about each direction, with the variance of the acceptance."""
    d = retina.directions
    if rays == 1:
        return d
    width = retina.acceptance_rad / math.sqrt(8 * math.log(2)) * math.sqrt(2)  # of the ring: variance / axis r^2 / 2
    up = np.where(np.abs(d[..., 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    one = np.cross(up, d)
    one /= np.linalg.norm(one, axis=-1, keepdims=True)
    two = np.cross(d, one)
    turn = 2 * np.pi * np.arange(rays) / rays
    about = np.cos(turn)[:, None] * one[..., None, :] + np.sin(turn)[:, None] * two[..., None, :]
    cone = math.cos(width) * d[..., None, :] + math.sin(width) * about
    return np.asarray(cone.reshape(len(d), -1, 3))


def _surfaces(model: mujoco.MjModel) -> dict[str, Array]:
    """rgb (ngeom, 3) and grey (ngeom, 1): each geom's mean colour. planes: those whose 2D texture is looked up at
    every hit; `rgb <geom>` and `grey <geom>` (h, w, c) are its pixels."""
    import mujoco

    rgb = model.geom_rgba[:, :3].astype(float)
    found: dict[str, Array] = {}
    planes = []
    for geom in range(model.ngeom):
        material = int(model.geom_matid[geom])
        if material < 0:
            continue
        if np.allclose(model.geom_rgba[geom], [0.5, 0.5, 0.5, 1]):  # MuJoCo's default: the material's counts
            rgb[geom] = model.mat_rgba[material, :3]
        texture = int(model.mat_texid[material, mujoco.mjtTextureRole.mjTEXROLE_RGB])
        if texture < 0:
            continue
        begin, channels = model.tex_adr[texture], model.tex_nchannel[texture]
        h, w = model.tex_height[texture], model.tex_width[texture]
        pixels = model.tex_data[begin : begin + h * w * channels].reshape(h, w, channels)[..., :3] / 255 * rgb[geom]
        rgb[geom] = pixels.mean((0, 1))
        flat = model.tex_type[texture] == mujoco.mjtTexture.mjTEXTURE_2D
        if flat and model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_PLANE:
            planes.append(geom)
            found |= {f"rgb {geom}": pixels, f"grey {geom}": pixels @ np.array(RGB)[:, None]}
    rgb = np.clip(rgb, 0, 1)
    return {"rgb": rgb, "grey": rgb @ np.array(RGB)[:, None], "planes": np.array(planes, int), **found}
