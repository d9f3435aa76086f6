"""Figures of a recording: posture kymograph, neurons, track over the field, behaviour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import bestiary
from bestiary.bodies._base import Array
from bestiary.envs.recording import Recording, open_recording
from bestiary.envs.video import few, natural
from bestiary.tasks._legs import stance
from bestiary.tasks._paths import turn_rate_deg_per_s, velocity_m_per_s
from bestiary.tasks._states import NAMES, along_body_L_per_s, states
from bestiary.tasks._trial import Track

STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "figure.facecolor": "white",
    "savefig.dpi": 160,
    "figure.constrained_layout.use": True,
}
COLOURS = {"forward": "#0072B2", "reversing": "#D55E00", "paused": "#BBBBBB", "turning": "#E69F00"}  # Okabe & Ito
_COLUMNS = 1500


def figures(path: str | Path, out: str | Path | None = None) -> list[Path]:
    """Draws every figure that the recording at `path` has the data for, as PNG in the folder `out` (default: its own).

    Returns their paths. Raises DataError where the recording cannot be read.
    """
    with open_recording(path) as recording:
        folder = Path(out) if out is not None else recording.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        made = []
        for draw, needs in _ALL.items():
            if recording.rows > 1 and all(_has(recording, n) for n in needs):
                target = folder / f"{recording.path.stem}_{draw.__name__}.png"
                with matplotlib.rc_context(STYLE):
                    draw(recording).savefig(target)
                made.append(target)
        return made


def _has(recording: Recording, name: str) -> bool:
    """Whether a recording holds a series with at least one column."""
    return name in recording and recording[name][:1].size > 0


def _thin(recording: Recording) -> slice:
    return slice(None, None, max(1, recording.rows // _COLUMNS))


def _title(recording: Recording) -> str:
    about = recording.metadata
    medium = f" on {about['medium']}" if about.get("medium") is not None else ""
    seed = about.get("asked", {}).get("seed", about["episode_seed"])  # `run --seed`; else that of the episode
    cut = "" if recording.complete else ", cut short"
    return f"{about['body']}, {about['task']['name']}{medium}, seed {seed}{cut}"


def kymograph(recording: Recording) -> Figure:
    """Curvature along the body over time, 1/mm; head above. Dorsal bends are positive."""
    keep = _thin(recording)
    time_s = recording["time_s"][keep]
    bend = recording["pose/curvature_per_m"][keep].T * 1e-3
    figure = Figure(figsize=(9, 2.6))
    axes = figure.subplots()
    limit = max(float(np.percentile(np.abs(bend), 99)), 1e-6)
    picture = axes.imshow(
        bend,
        aspect="auto",
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        extent=(time_s[0], time_s[-1], 1, 0),
        interpolation="nearest",
    )
    axes.set(xlabel="time (s)", ylabel="place on the body", title=_title(recording))
    axes.set_yticks([0, 0.5, 1], ["head", "0.5", "tail"])
    figure.colorbar(picture, label="curvature (1/mm)", pad=0.01, extend="both")
    return figure


def neurons(recording: Recording) -> Figure:
    """Membrane potential of every neuron over time, mV, with its name; neurons of a group side by side. Of more than
    400 neurons some of every group, as in films."""
    series = recording["brain/voltage_mV"]
    keep = _thin(recording)
    time_s, names = recording["time_s"][keep], series.names
    groups = recording.metadata.get("groups", {})
    order = sorted(range(len(names)), key=lambda i: (groups.get(names[i], ""), natural(names[i])))
    order = few(np.array(order), [groups.get(n, "") for n in names]).tolist()
    names = tuple(names[i] for i in order)
    voltage = series[keep][:, order].T
    figure = Figure(figsize=(10, min(max(2.5, 0.062 * len(names) + 1), 26)))
    axes = figure.subplots()
    low, high = np.percentile(voltage, (1, 99))
    picture = axes.imshow(
        voltage,
        aspect="auto",
        cmap="magma",
        vmin=low,
        vmax=max(high, low + 1e-6),
        extent=(time_s[0], time_s[-1], len(names), 0),
        interpolation="nearest",
    )
    told = range(0, len(names), -(-len(names) // 400))
    axes.set_yticks([i + 0.5 for i in told], [names[i] for i in told], fontsize=4 if len(names) > 60 else 7)
    axes.tick_params(axis="y", length=0, pad=1)
    axes.set(xlabel="time (s)", title=_title(recording))
    ordered = [groups.get(name, "") for name in names]
    for group in dict.fromkeys(ordered):
        first, count = ordered.index(group), ordered.count(group)
        if first:
            axes.axhline(first, color="white", linewidth=0.8)
        axes.text(
            1.004, 1 - (first + count / 2) / len(names), group, transform=axes.transAxes, rotation=90, va="center"
        )
    figure.colorbar(picture, label="membrane potential (mV)", pad=0.035, shrink=min(1, 2.5 / figure.get_figheight()))
    return figure


def track(recording: Recording) -> Figure:
    """Path of the centre of mass, mm, over the field of the task where there is one; the colour is the time."""
    keep = _thin(recording)
    time_s, com = recording["time_s"][keep], recording["pose/com_m"][keep] * 1e3
    body = recording["pose/midline_m"][-1] * 1e3
    figure = Figure(figsize=(6, 5.2))
    axes = figure.subplots()
    points = [com[:, :2], body[:, :2]]
    source = _source(recording)
    if source is not None:
        points.append(source[None] * 1e3)
    low, high = np.concatenate(points).min(0), np.concatenate(points).max(0)
    middle = (low + high) / 2
    half = max(0.6 * float((high - low).max()), 0.6e3 * recording.metadata["length_m"])
    task: Any = _task(recording) if source is not None else None
    if source is not None and hasattr(task, "concentration"):
        grid = np.linspace(-half, half, 200)
        x, y = np.meshgrid(middle[0] + grid, middle[1] + grid)
        field = task.concentration(source, np.stack([x.ravel(), y.ravel()], 1) * 1e-3).reshape(x.shape)
        shade = axes.contourf(x, y, field, levels=12, cmap="GnBu", alpha=0.75)
        about = recording[f"obs/{task.sense}"].unit if f"obs/{task.sense}" in recording else ""
        name = task.sense.split("_")[0]
        figure.colorbar(shade, label=f"{name} ({about})", shrink=0.6, pad=0.02, location="left")
    if source is not None:
        axes.plot(*(source * 1e3), "x", color="#8B1A1A", markersize=8, markeredgewidth=2, label="source")
    path = axes.scatter(com[:, 0], com[:, 1], c=time_s, s=3, cmap="plasma", linewidths=0, zorder=3)
    axes.plot(body[:, 0], body[:, 1], color="black", linewidth=2, solid_capstyle="round", label="animal at the end")
    axes.plot(*com[0, :2], "o", color="white", markeredgecolor="black", markersize=6, zorder=4, label="start")
    axes.set(
        xlabel="x (mm)",
        ylabel="y (mm)",
        title=_title(recording),
        aspect="equal",
        xlim=(middle[0] - half, middle[0] + half),
        ylim=(middle[1] - half, middle[1] + half),
    )
    axes.legend(frameon=False, fontsize=8, loc="best")
    figure.colorbar(path, label="time (s)", shrink=0.6, pad=0.02)
    return figure


def behaviour(recording: Recording) -> Figure:
    """Speed along the body, body lengths per second, above a raster of what `_states` finds it doing."""
    time_s, com, midline = (recording[n][:] for n in ("time_s", "pose/com_m", "pose/midline_m"))
    bend = recording["pose/curvature_per_m"][:]
    track = Track(time_s, midline.astype(np.float64), com, bend, {}, recording.metadata["length_m"])
    speed, state = along_body_L_per_s(track), states(track)
    figure = Figure(figsize=(9, 3))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1.2))
    above.axhline(0, color="#999999", linewidth=0.6)
    above.plot(time_s, speed, color="#333333", linewidth=0.9)
    above.set(ylabel="speed along the body\n(body lengths/s)", title=_title(recording))
    for i, (code, name) in enumerate(NAMES.items()):
        here = state == code
        below.fill_between(time_s, i - 0.4, i + 0.4, where=here, color=COLOURS[name], step="post", linewidth=0)
    share = [f"{name}  {100 * np.mean(state == code):.0f} %" for code, name in NAMES.items()]
    below.set_yticks(range(len(NAMES)), share)
    below.set(xlabel="time (s)", ylim=(len(NAMES) - 0.5, -0.5), xlim=(time_s[0], time_s[-1]))
    if "info/touch_N" in recording:
        for begin, end in _spans(time_s, recording["info/touch_N"][:] > 0):
            for axes in (above, below):
                axes.axvspan(begin, end, color="#CC79A7", alpha=0.35, linewidth=0)
        above.text(1, 1.02, "shaded: touch", transform=above.transAxes, ha="right", color="#CC79A7", fontsize=8)
    return figure


def steps(recording: Recording) -> Figure:
    """Which legs stand, above them the velocity ahead, mm/s, and the turn to the left, deg/s."""
    pose = {n: recording[f"pose/{n}"][:] for n in ("claw_load_N", "heading_rad") if f"pose/{n}" in recording}
    time_s, com, midline = (recording[n][:] for n in ("time_s", "pose/com_m", "pose/midline_m"))
    flat = np.zeros((len(time_s), 0))
    track = Track(time_s, midline.astype(np.float64), com, flat, {}, recording.metadata["length_m"], pose=pose)
    down = stance(track)
    figure = Figure(figsize=(9, 4))
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1, 1.4))
    for axes, values, label in (
        (above, 1e3 * velocity_m_per_s(track)[0], "ahead\n(mm/s)"),
        (middle, turn_rate_deg_per_s(track), "turn to the left\n(deg/s)"),
    ):
        axes.axhline(0, color="#999999", linewidth=0.6)
        axes.plot(time_s, values, color="#333333", linewidth=0.9)
        axes.set(ylabel=label)
    above.set(title=_title(recording))
    for i, leg in enumerate(down.T):
        below.fill_between(time_s, i - 0.4, i + 0.4, where=leg, color="#333333", step="post", linewidth=0)
    names = [f"{'LR'[i % 2]}{i // 2 + 1}" for i in range(down.shape[1])]
    below.set_yticks(range(len(names)), names)
    below.set(xlabel="time (s); black: the leg stands", ylim=(len(names) - 0.5, -0.5), xlim=(time_s[0], time_s[-1]))
    return figure


def _spans(time_s: Array, on: Array) -> list[tuple[float, float]]:
    """Begin and end of every stretch in which `on` is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(int)))
    return [(float(time_s[a]), float(time_s[b - 1])) for a, b in edges.reshape(-1, 2)]


def _source(recording: Recording) -> Array | None:
    if "info/source_x_m" not in recording:
        return None
    return np.array([recording["info/source_x_m"][0], recording["info/source_y_m"][0]])


def _task(recording: Recording) -> Any:
    about = recording.metadata["task"]
    return bestiary.load("tasks", about["name"]).TASK(**about["options"])


_ALL: dict[Callable[[Recording], Figure], tuple[str, ...]] = {
    kymograph: ("pose/curvature_per_m",),
    neurons: ("brain/voltage_mV",),
    track: ("pose/com_m", "pose/midline_m"),
    behaviour: ("pose/com_m", "pose/midline_m", "pose/curvature_per_m"),
    steps: ("pose/com_m", "pose/midline_m", "pose/claw_load_N"),
}
