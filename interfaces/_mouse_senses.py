"""What a mouse's receptors tell thalamus and colliculus: whisker afferents, retinal ganglion cells by channel, looms.

Sides of neurons are those of the brain, which hears the other side of the body. All gains are `tuned`; shapes follow
the papers named.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numba
import numpy as np
import scipy.sparse

from bestiary.bodies._base import Array
from bestiary.bodies._mouse_bound import LOOK_S
from bestiary.bodies._mouse_retina import mouse_retina
from bestiary.bodies._mouse_whiskers import WHISKERS, whisker_array
from bestiary.brains._mouse_loop import CHANNELS, COLUMNS, LGN_POOL, ROWS, lgn_place
from bestiary.brains._mouse_olfactory import HALF_PPM

_ACROSS = {"L": 1, "R": 0}  # row of the sense (left, right) that a side of the brain hears
UNIT_MV = 20.0  # of the brainstem's inputs


class WhiskerSense:
    """Slowly adapting afferents follow how far a whisker is bent, rapidly adapting ones how fast that changes (Stuttgen
    2008, Severson 2017); bends, not moments, so that short whiskers count as long ones do.

    Rates in Hz (as mV of drive): spontaneous 1; up to 90 with half at 0.25 rad; up to 150 with half at 8 rad/s.
    """

    def __init__(self, names: Sequence[str], period_s: float) -> None:
        found = []  # of each neuron: its row, the side and the number of its whisker, 1 if it is rapid
        for i, name in enumerate(names):
            if name.startswith("VPM_"):
                _, side, whisker, kind = name.rstrip("0123456789").split("_")
                found.append((i, _ACROSS[side], WHISKERS.index(whisker), int(kind == "rapid")))
        self._cells = np.array(found, int).reshape(-1, 4)
        self._stiff = whisker_array().stiffness_Nm_per_rad
        self._period_s, self._blend = period_s, -math.expm1(-period_s / 0.004)

    def init(self) -> dict[str, Array]:
        return {"bend": np.zeros((2, len(WHISKERS))), "speed": np.zeros((2, len(WHISKERS)))}

    def encode(self, state: dict[str, Array], obs: Mapping[str, Array], drive: Array) -> dict[str, Array]:
        """Adds to drive (n,) of the part `loop`."""
        bend, speed = np.empty_like(state["bend"]), state["speed"].copy()
        _afferents(
            obs["whisker_Nm"], self._stiff, state["bend"], bend, speed, self._period_s, self._blend, self._cells, drive
        )
        return {"bend": bend, "speed": speed}


@numba.njit(cache=True)
def _afferents(moment, stiff, before, bend, speed, period_s, blend, cells, drive):
    rate = np.empty((*bend.shape, 2))
    for side in range(bend.shape[0]):
        for w in range(bend.shape[1]):
            bend[side, w] = np.hypot(moment[side, w, 0], moment[side, w, 1]) / stiff[w]
            speed[side, w] += blend * (abs(bend[side, w] - before[side, w]) / period_s - speed[side, w])
            slow, rapid = max(bend[side, w] - 0.04, 0.0), max(speed[side, w] - 1.5, 0.0)
            rate[side, w, 0] = 1 + 90 * slow / (slow + 0.25)
            rate[side, w, 1] = 1 + 150 * rapid / (rapid + 8)
    for row, side, w, kind in cells:
        drive[row] += rate[side, w, kind]


@functools.cache
def _stiffness() -> Array:
    return whisker_array().stiffness_Nm_per_rad


BACK, FRONT = (np.array([w[-1:] in ends for w in WHISKERS]) for ends in (("a", "1"), ("3", "4")))


def flanked(moment_Nm: Array) -> Array:
    """(4,) mV of Sp5b_L, Sp5b_R, Sp5f_L, Sp5f_R from moments (2, 24, 2): half at a bend of 0.25 rad, as of VPM."""
    bend = np.maximum(np.hypot(moment_Nm[..., 0], moment_Nm[..., 1]) / _stiffness() - 0.04, 0)
    felt = bend / (bend + 0.25)
    return np.asarray(UNIT_MV * np.concatenate([felt[:, BACK].mean(1), felt[:, FRONT].mean(1)]))


class EyeSense:
    """Luminance to LGN channels (sustained and transient, ON and OFF) of 8 x 4 places in each eye's field, and to what
    the colliculus hears: dark things above that grow, and small ones that pass (Yilmaz 2013, De Franceschi 2016).

    Cells look LGN_DEG around their place (`lgn_place`). Contrast is Weber's, against a mean over 2 s. Sustained:
    low-passed over 60 ms; transient: less what it was 60 ms before. Rates in Hz (as mV) of LGN_POOL cells
    that have, each, 4 by themselves and up to 60 at contrast 1.
    """

    WIDE_DEG, HIGH_DEG = (-20.0, 140.0), (-40.0, 80.0)  # azimuth from the nose to the eye's own side; elevation

    def __init__(self, names: Sequence[str], brainstem: Sequence[str], period_s: float) -> None:
        ways = mouse_retina().directions
        self._every = max(1, round(LOOK_S / period_s))
        places: dict[tuple[int, int, int, int], int] = {}
        rows: list[tuple[int, int, int]] = []  # neuron, channel, place
        masks: list[Array] = []
        for i, name in enumerate(names):
            if not name.startswith("LGN_"):
                continue
            _, side, channel, column, row, number = name.split("_")
            eye, c, r, n = _ACROSS[side], int(column[1:]), int(row[1:]), int(number)
            key = (eye, c, r, n)
            if key not in places:
                places[key] = len(masks)
                back, up = lgn_place(n)
                masks.append(self._disc(ways[eye], eye, c + back + 0.5, r + up + 0.5))
            rows.append((i, CHANNELS.index(channel), places[key]))
        self._cells = np.array(rows, int).reshape(-1, 3)
        self._rows = np.ascontiguousarray(self._cells[:, 0])
        self._pool = scipy.sparse.csr_array(np.array(masks, np.float32).reshape(len(masks), ways[..., 0].size))
        row_of = {name: i for i, name in enumerate(brainstem)}
        self._sc = [(row_of.get(f"SC_{s}"), row_of.get(f"sweep_{s}"), _ACROSS[s]) for s in "LR"]
        self._pixel_deg = math.degrees(mouse_retina().acceptance_rad)
        self._ways = ways

    def _disc(self, ways: Array, eye: int, column: float, row: float) -> Array:
        low, wide = self.WIDE_DEG[0], (self.WIDE_DEG[1] - self.WIDE_DEG[0]) / COLUMNS
        azimuth = math.radians(low + column * wide) * (1 if eye == 0 else -1)
        elevation = math.radians(self.HIGH_DEG[0] + row * (self.HIGH_DEG[1] - self.HIGH_DEG[0]) / ROWS)
        flat = math.cos(elevation)
        centre = np.array([flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(elevation)])
        mask = np.zeros((2, len(ways)))
        near = ways @ centre > math.cos(math.radians(LGN_DEG))
        if not near.any():
            near = np.arange(len(ways)) == int(np.argmax(ways @ centre))
        mask[eye] = near / near.sum()
        return mask.ravel()

    def init(self) -> dict[str, Array]:
        n, cells = self._ways.shape[1], self._pool.shape[0]
        return {
            "step": np.zeros(1, np.int64),
            "mean": np.full((2, n), np.nan, np.float32),
            "sustained": np.zeros(cells),
            "past": np.zeros(cells),
            "size": np.zeros((2, 4)),  # deg across of what is dark above, its growth, its place, how fast that moves
            "rates": np.zeros(len(self._cells)),
            "alarm": np.zeros((2, 2)),
        }

    def encode(
        self, state: dict[str, Array], obs: Mapping[str, Array], drive: Array, commands: Array
    ) -> dict[str, Array]:
        """Adds to drive of the parts `loop` and `brainstem`."""
        new = dict(state)
        if int(state["step"][0]) % self._every == 0:
            self._look(new, obs["luminance"], obs["gravity"])
        new["step"] = state["step"] + 1
        if len(self._rows):
            drive[self._rows] += new["rates"]
        for loom, sweep, eye in self._sc:
            for row, value in ((loom, new["alarm"][eye, 0]), (sweep, new["alarm"][eye, 1])):
                if row is not None:
                    commands[row] += UNIT_MV * value
        return new

    def _look(self, state: dict[str, Array], light: Array, down: Array) -> None:
        mean = light.copy() if np.isnan(state["mean"][0, 0]) else state["mean"]
        mean = mean + np.float32(LOOK_S / 2.0) * (light - mean)
        contrast = (light - mean) / np.maximum(mean, 0.05)
        state["mean"] = mean
        pooled = np.clip(self._pool @ contrast.ravel(), -1, 1)
        keep = -math.expm1(-LOOK_S / 0.06)
        sustained = state["sustained"] + keep * (pooled - state["sustained"])
        transient = pooled - state["past"]
        state["past"] = state["past"] + keep * (pooled - state["past"])
        state["sustained"] = sustained
        signal = np.stack([sustained, -sustained, transient, -transient])
        state["rates"] = LGN_POOL * (4 + 56 * np.maximum(signal[self._cells[:, 1], self._cells[:, 2]], 0))
        size, alarm = state["size"].copy(), np.zeros((2, 2))
        above = self._ways @ -down > math.sin(math.radians(ABOVE_DEG))
        for eye in range(2):
            dark = above[eye] & (contrast[eye] < -0.25)
            angle = 2 * math.sqrt(self._pixel_deg**2 * int(dark.sum()) / math.pi)
            place = float(np.degrees(np.arctan2(*self._ways[eye][dark].mean(0)[1::-1]))) if dark.any() else size[eye, 2]
            was, growth, before, speed = size[eye].tolist()
            growth += 0.4 * ((angle - was) / LOOK_S - growth)
            moved = abs((place - before + 180) % 360 - 180) / LOOK_S if was > 0 and dark.any() else 0.0
            speed += 0.4 * (moved - speed)
            size[eye] = angle, growth, place, speed
            alarm[eye, 0] = float(growth > GROWS_DEG_PER_S and angle > LOOM_DEG)
            alarm[eye, 1] = float(3 < angle < LOOM_DEG and 5 < speed < 200 and growth < GROWS_DEG_PER_S)
        state["size"], state["alarm"] = size, alarm


LGN_DEG = 5.6  # radius of a field's middle (Grubb & Thompson 2003 J Neurophysiol 90:3594, memory)
LOOM_DEG, GROWS_DEG_PER_S = 15.0, 25.0  # mice flee discs that grow to 20 deg and more at 35 to 350 deg/s (memory)
# Over the horizon: what is above, wherever the head points (eyes of mice counter its tilt: Meyer 2020)
ABOVE_DEG = 20.0


def smelt(odour_ppm: Array) -> Array:
    """(2,) mV of the receptors of the left and the right nostril, which saturate."""
    return np.asarray(UNIT_MV * odour_ppm / (odour_ppm + HALF_PPM))


def senses(body: Any) -> dict[str, bool]:
    """Which of its eyes and whiskers a body has."""
    names = {s.name for s in body.senses}
    return {"eyes": "luminance" in names, "whiskers": "whisker_Nm" in names}
