"""Recorded animals as tracks, and what a task would have told of them: the same measures then serve both."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.tasks._motion import account
from bestiary.tasks._trial import Track

_LIKELY = 0.8  # key points that the tracker is less sure of are bridged


def replay(task: Any, track: Track) -> Track:
    """The track with the info that `task`, which has `begin(account)`, gives for its poses."""
    state = task.begin(account(track.com_m[0].copy(), track.length_m))
    rows = []
    for i, time_s in enumerate(track.time_s - track.time_s[0]):
        pose = {"midline_m": track.midline_m[i], "com_m": track.com_m[i]} | {k: v[i] for k, v in track.pose.items()}
        rows.append(task.judge(state, pose, float(time_s))[2])
    return replace(track, info={k: np.array([row[k] for row in rows], float) for k in rows[0]})


def track_of(nose_m: Array, tail_m: Array, frames_Hz: float, length_m: float) -> Track:
    """From two points in the plane, (T, 2) each; the body's centre lies between them."""
    ends = np.stack([nose_m, (nose_m + tail_m) / 2, tail_m], 1)
    midline = np.concatenate([ends, np.zeros((*ends.shape[:2], 1))], 2)
    time_s = np.arange(len(nose_m)) / frames_Hz
    return Track(time_s, midline, midline[:, 1], np.zeros((len(time_s), 0)), {}, length_m)


def key_points(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """(T, 2) pixels by name, from a table of DeepLabCut; points of low likelihood are interpolated."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    parts, kinds = rows[1], rows[2]
    values = np.array([[float(c) for c in row] for row in rows[3:]])
    out = {}
    for name in names:
        x, y, sure = (
            next(i for i, p in enumerate(parts) if p == name and kinds[i] == k) for k in ("x", "y", "likelihood")
        )
        good = np.flatnonzero(values[:, sure] >= _LIKELY)
        at = np.arange(len(values))
        out[name] = np.stack([np.interp(at, good, values[good, c]) for c in (x, y)], 1)
    return out


def labyrinth_nodes(path: Path, frames_Hz: float = 30.0) -> Track:
    """A track of a table of nodes (bout, bout_start_frame, node, start_frame_in_bout): only its `node` and times, ten a
    second within each bout; between bouts the animal is at home."""
    with path.open(encoding="utf-8") as file:
        rows = np.array([[int(c) for c in row] for row in list(csv.reader(file))[1:]])
    node, step = [], frames_Hz / 10
    for bout in np.unique(rows[:, 0]):
        here = rows[rows[:, 0] == bout]
        starts = np.append(here[:, 3], here[-1, 3] + frames_Hz)
        for k, n in zip(np.diff(np.round(starts / step)).astype(int), here[:, 2], strict=True):
            node += [n] * max(int(k), 1)
        node += [127] * 5
    t = np.arange(len(node)) / 10
    zero = np.zeros((len(t), 2, 3))
    return Track(t, zero, zero[:, 0], np.zeros((len(t), 0)), {"node": np.array(node, float)}, 0.09)
