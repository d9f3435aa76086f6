"""Video streamed to the disk, with the neural activity beside the body."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.errors import DataError

_FULL_HZ = 100.0  # of the colours of firing rates
_INK, _PAPER, _FAINT = (40, 42, 48), (250, 249, 246), (140, 142, 150)


class VideoWriter:
    """Streams frames to an h264 file (yuv420p, plays everywhere); one frame in memory at a time.

    path: ends in .mp4, say. fps: frames per second of the file. size: (width, height) in pixels, made even by
    repeating the last row or column. Raises DataError when the file cannot be written.
    """

    def __init__(self, path: str | Path, fps: float, size: tuple[int, int]) -> None:
        import imageio.v3

        if not fps > 0:
            raise ValueError(f"fps must be above 0, got {fps}")
        self.path, self.size, self.frames = Path(path), (int(size[0]), int(size[1])), 0
        try:
            self._file: Any = imageio.v3.imopen(self.path, "w", plugin="pyav")
            self._file.init_video_stream("libx264", fps=float(fps), pixel_format="yuv420p")
        except (OSError, ValueError) as error:
            raise DataError(f"cannot write video {self.path}: {error}") from error

    def add(self, frame: Array) -> None:
        """One frame (height, width, 3) uint8."""
        width, height = self.size
        if frame.shape != (height, width, 3) or frame.dtype != np.uint8:
            raise ValueError(f"expected a frame ({height}, {width}, 3) uint8, got {frame.shape} {frame.dtype}")
        if self._file is None:
            raise DataError(f"{self.path} is closed")
        if width % 2 or height % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        try:
            self._file.write_frame(np.ascontiguousarray(frame))
        except OSError as error:
            raise DataError(f"writing video {self.path} failed after {self.frames} frames: {error}") from error
        self.frames += 1

    def close(self) -> None:
        """Finishes the file; a second call does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def colours(name: str, n: int = 256) -> Array:
    """A colour table (n, 3) uint8 of matplotlib's colour map `name`."""
    import matplotlib

    return (matplotlib.colormaps[name](np.linspace(0, 1, n))[:, :3] * 255).astype(np.uint8)


class Scroll:
    """A heat map that scrolls: one row per channel, the present at the right.

    size: (width, height) pixels. n: channels. limits: (low, high) of the colours; None follows the 1st and 99th
    percentile of what is in view. seconds: of time in view.
    """

    def __init__(
        self,
        size: tuple[int, int],
        n: int,
        seconds: float,
        limits: tuple[float, float] | None = None,
        cmap: str = "magma",
    ) -> None:
        self.width, self.height = size
        self.limits, self.seconds = limits, seconds
        self.table = colours(cmap)
        self._values = np.full((n, self.width), np.nan, np.float32)
        self._rows = np.arange(self.height) * n // self.height
        self._end_s = 0.0
        self._started = False

    def add(self, values: Array, time_s: float) -> None:
        """Values (n,) up to time_s: moves the map by the time since the last call, whole columns."""
        column_s = self.seconds / self.width
        if not self._started:
            self._end_s, self._started = time_s - column_s, True
        move = min(int((time_s - self._end_s) / column_s + 1e-9), self.width)
        if move > 0:
            self._values[:, :-move] = self._values[:, move:]
            self._end_s += move * column_s
        self._values[:, -max(move, 1) :] = np.asarray(values, np.float32)[:, None]

    def draw(self) -> Array:
        """The map (height, width, 3) uint8; paper where there is nothing yet."""
        seen = self._values[:: max(1, len(self._values) // 100), ::4]
        if self.limits is not None:
            low, high = self.limits
        elif (good := seen[np.isfinite(seen)]).size:
            low, high = np.percentile(good, (1, 99))
        else:
            low, high = 0.0, 1.0
        self.now = (float(low), float(max(high, low + 1e-6)))
        share = (self._values - low) * (255 / (self.now[1] - low))
        empty = np.isnan(share)
        picture = self.table[np.clip(np.nan_to_num(share), 0, 255).astype(np.uint8)]
        picture[empty] = _PAPER
        return picture[self._rows]


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts VA2 before VA10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def by_class(names: Sequence[str], groups: Sequence[str] | None = None) -> Array:
    """Order (n,) that puts neurons of one group side by side; without groups, in alphabetical and numerical order."""
    keys = [(groups[i] if groups is not None else "", natural(name)) for i, name in enumerate(names)]
    return np.array(sorted(range(len(names)), key=keys.__getitem__))


def few(rows: Array, groups: Sequence[str] | None, most: int = 400, each: int = 60) -> Array:
    """Rows to draw where there are more than `most`: at most `each` of every group, evenly spread."""
    if len(rows) <= most or groups is None:
        return np.asarray(rows)
    by: dict[str, list[int]] = {}
    for row in rows.tolist():
        by.setdefault(groups[row], []).append(row)
    return np.concatenate([np.array(r)[:: max(1, -(-len(r) // each))] for r in by.values()])


def _fit(word: str, wide: int, font: Any) -> str:
    """As much of the word as `wide` pixels hold."""
    while word and font.getlength(word) > wide:
        word = word[:-1]
    return word


class Stage:
    """Composes a frame: the body's picture at the left, activity at the right.

    size: (width, height). body: (width, height) of the picture that `draw` gets. neurons: their names, in the order
    of the values. muscles: motor names; rows of muscles are told by the letters before the number ("MDL01" is of row
    "MDL"). groups: a group per neuron ("sensory", ...), for the order and the labels. title, foot: a line above, below.
    voltage_limits_mV: of the colours; None follows the values. rates: values are roots of firing rates, 1 at 100 Hz.
    """

    def __init__(
        self,
        size: tuple[int, int] = (960, 540),
        body: tuple[int, int] = (540, 540),
        *,
        neurons: Sequence[str] = (),
        muscles: Sequence[str] = (),
        groups: Sequence[str] | None = None,
        title: str = "",
        foot: str = "",
        seconds: float = 10.0,
        voltage_limits_mV: tuple[float, float] | None = None,
        rates: bool = False,
    ) -> None:
        from PIL import Image, ImageDraw, ImageFont

        self.size, self.body = size, body
        width, height = size
        left, wide = body[0] + 62, width - body[0] - 76
        if wide < 50 or body[1] > height:
            raise ValueError(f"a frame of {size} has no room beside a body of {body}: leave 126 pixels or more")
        self._paper = Image.new("RGB", size, _PAPER)
        self._pen = ImageDraw.Draw(self._paper)
        self._small, self._font = ImageFont.load_default(10), ImageFont.load_default(13)
        self._pen.text((body[0] + 12, 8), title, _INK, self._font)
        self._pen.text((body[0] + 12, height - 17), _fit(foot, width - body[0] - 24, self._small), _FAINT, self._small)
        rows: dict[str, list[int]] = {}
        for i, name in enumerate(muscles):
            rows.setdefault(name.rstrip("0123456789"), []).append(i)
        self._order = by_class(neurons, groups)
        muscle_h = min(150, height // 4) if muscles else 0
        top = 48
        bottom = height - 22 - (muscle_h + 30 if muscles else 0)
        self._neural = None
        if len(neurons):
            self._neural = Scroll((wide, bottom - top), len(neurons), seconds, (0, 1) if rates else voltage_limits_mV)
            self._at, self._rates = (left, top), rates
            what = "firing rate" if rates else "membrane potential"
            self._pen.text((left, top - 15), f"{len(neurons)} neurons, {what}, last {seconds:g} s", _FAINT, self._small)
            self._label_rows(neurons, groups, left, top, bottom - top)
        self._muscle = None
        if muscles:
            start = bottom + 30 if len(neurons) else top
            longest = max(len(r) for r in rows.values())
            self._muscle_rows = [np.array(r)[np.arange(longest) * len(r) // longest] for r in rows.values()]
            self._muscle = (left, start, wide, muscle_h // len(rows))
            self._pen.text((left, start - 15), "muscle activation now, head to tail", _FAINT, self._small)
            self._pen.text((width - 90, start - 15), "0 to 1", _FAINT, self._small, "ra")
            for i, name in enumerate(rows):
                y = start + i * (muscle_h // len(rows)) + muscle_h // len(rows) // 2
                self._pen.text((left - 6, y), name, _INK, self._small, anchor="rm")
        self._table = colours("viridis")
        self._still = np.asarray(self._paper).copy()
        if self._muscle is not None:
            y = self._muscle[1] - 12
            self._still[y : y + 7, width - 84 : width - 14] = self._table[np.linspace(0, 255, 70).astype(int)]

    def _label_rows(self, names: Sequence[str], groups: Sequence[str] | None, left: int, top: int, height: int) -> None:
        """Names at the rows: of each group at its middle, or as many neurons as there is room for."""
        n = len(names)
        if groups is not None:
            ordered = [groups[i] for i in self._order]
            y = float(top)
            for group in dict.fromkeys(ordered):
                first, count = ordered.index(group), ordered.count(group)
                y = max(top + height * (first + count / 2) / n, y + 11)  # names of small groups do not meet
                self._pen.text(
                    (left - 6, y), _fit(group, left - 6 - self.body[0], self._small), _INK, self._small, "rm"
                )
                self._pen.line((left - 4, top + height * first / n, left - 1, top + height * first / n), _FAINT)
            return
        for i in range(0, n, max(1, -(-n * 11 // height))):
            y = top + height * (i + 0.5) / n
            self._pen.text((left - 6, y), names[self._order[i]], _INK, self._small, anchor="rm")

    def draw(
        self,
        body: Array,
        time_s: float,
        voltage_mV: Array | None = None,
        muscle: Array | None = None,
        note: str = "",
    ) -> Array:
        """A frame (height, width, 3) uint8. voltage_mV (n_neurons,), muscle (n_muscles,) in [0, 1]."""
        from PIL import Image, ImageDraw

        width, height = self.size
        frame = self._still.copy()
        y = (height - self.body[1]) // 2
        frame[y : y + self.body[1], : self.body[0]] = body
        limits = ""
        if self._neural is not None and voltage_mV is not None:
            self._neural.add(np.asarray(voltage_mV)[self._order], time_s)
            x, y = self._at
            frame[y : y + self._neural.height, x : x + self._neural.width] = self._neural.draw()
            frame[12:19, width - 84 : width - 14] = self._neural.table[np.linspace(0, 255, 70).astype(int)]
            low, high = self._neural.now
            limits = f"0 to {_FULL_HZ:.0f} Hz, square root" if self._rates else f"{low:.0f} to {high:.0f} mV"
        if self._muscle is not None and muscle is not None:
            x, y, wide, tall = self._muscle
            for i, row in enumerate(self._muscle_rows):
                strip = self._table[np.clip(np.asarray(muscle)[row] * 255, 0, 255).astype(np.uint8)]
                columns = np.arange(wide) * len(row) // wide
                frame[y + i * tall : y + (i + 1) * tall - 2, x : x + wide] = strip[columns]
        ink = Image.fromarray(frame)
        pen = ImageDraw.Draw(ink)
        pen.text((14, 12), f"{time_s:.2f} s   {note}", _INK, self._font)
        pen.text((width - 90, 9), limits, _FAINT, self._small, anchor="ra")
        return np.asarray(ink)


class Film:
    """A video of an environment, and of the animal in it, at an even frame rate whatever the control period.

    env: an EmbodiedEnv made with render_mode="rgb_array", or a wrapper of one. animal: see `Recorder`; the probe
    called `voltage` is drawn, and pose()["muscle"] where the body has it. fps: of the file. slow_motion: how many
    times slower than life. size: (width, height) of the file. groups, title, foot: see `Stage`; without groups those of
    the animal.
    """

    def __init__(
        self,
        path: str | Path,
        env: Any,
        animal: Any = None,
        *,
        fps: float = 30.0,
        slow_motion: float = 1.0,
        size: tuple[int, int] = (960, 540),
        groups: Sequence[str] | None = None,
        title: str = "",
        foot: str = "",
        seconds: float = 10.0,
        voltage: str = "voltage_mV",
    ) -> None:
        self._env, self._animal, self._voltage = env.unwrapped, animal, voltage
        pose = self._env.pose()
        muscles = self._env.body.motors if "muscle" in pose else ()
        names = animal.names if animal is not None else ()
        groups = groups if groups is not None else getattr(animal, "groups", None)
        self._rows = few(getattr(animal, "shown", np.arange(len(names))), groups)
        names = [names[i] for i in self._rows]
        groups = [groups[i] for i in self._rows] if groups is not None else None
        self._rates = animal is not None and "rate_Hz" in animal.probe()
        self._spikes, self._steps = np.zeros(len(names)), 0
        self._stage = Stage(
            size,
            (self._env.width, self._env.height),
            neurons=names,
            muscles=muscles,
            groups=groups,
            title=title,
            foot=foot,
            seconds=seconds,
            rates=self._rates,
        )
        self._writer = VideoWriter(path, fps, size)
        self._period_s, self._due = 1 / (fps * slow_motion), 0

    def add(self, note: str = "") -> None:
        """Call once per control step: draws as many frames as are due."""
        time_s = self._env.time_s
        if self._rates:
            self._spikes += np.asarray(self._animal.probe()["rate_Hz"])[self._rows]
            self._steps += 1
        if time_s + 1e-9 < self._due * self._period_s:
            return
        pose = self._env.pose()
        if not np.isfinite(pose["com_m"]).all():
            return  # a body that has diverged cannot be drawn
        voltage: Array | None = None
        if self._rates:
            voltage = np.sqrt(np.clip(self._spikes / self._steps / _FULL_HZ, 0, 1))
            self._spikes, self._steps = np.zeros(len(self._rows)), 0
        elif self._animal is not None:
            voltage = self._animal.probe()[self._voltage][self._rows]
        frame = self._stage.draw(self._env.render(), time_s, voltage, pose.get("muscle"), note)
        while time_s + 1e-9 >= self._due * self._period_s:
            self._writer.add(frame)
            self._due += 1

    def close(self) -> None:
        self._writer.close()

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
