"""Recordings of animals as the tests see them: one time series an animal, several animals a cohort."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bestiary.bodies._base import Array
from bestiary.errors import DataError


@dataclass(frozen=True)
class Series:
    """One animal. values (T, F): one row a frame, NaN where nothing was measured. channels: F names, each with its
    unit. stimulus (T,): strength, 0 for none. classes: a word a channel (cell classes), or (). lab: where it was
    recorded, or ""."""

    name: str
    rate_Hz: float
    values: Array
    channels: tuple[str, ...]
    stimulus: Array | None = None
    classes: tuple[str, ...] = ()
    lab: str = ""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.channels):
            raise DataError(f"{self.name}: values are (frames, channels), got {self.values.shape}, {self.channels}")
        if not self.rate_Hz > 0:
            raise DataError(f"{self.name}: the frame rate must be above 0 Hz, got {self.rate_Hz}")
        if self.stimulus is not None and len(self.stimulus) != len(self.values):
            raise DataError(f"{self.name}: {len(self.stimulus)} frames of stimulus for {len(self.values)} of data")

    @property
    def seconds(self) -> float:
        return len(self.values) / self.rate_Hz

    def cut(self, start: int, stop: int) -> Series:
        """Frames start to stop."""
        stimulus = None if self.stimulus is None else self.stimulus[start:stop]
        return replace(self, values=self.values[start:stop], stimulus=stimulus)


@dataclass(frozen=True)
class Cohort:
    """Animals that were recorded, or simulated, in one way. source, doi, licence, sha256: of the recordings."""

    animals: tuple[Series, ...]
    source: str = ""
    doi: str = ""
    licence: str = ""
    sha256: str = ""
    flags: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.animals)

    @property
    def rate_Hz(self) -> float:
        return self.animals[0].rate_Hz

    @property
    def channels(self) -> tuple[str, ...]:
        return self.animals[0].channels

    @property
    def seconds(self) -> float:
        """Of the shortest animal."""
        return min(a.seconds for a in self.animals)

    def first(self, seconds: float) -> Cohort:
        """The first `seconds` of every animal: what is compared must be equally long, or short series look noisier."""
        return replace(self, animals=tuple(a.cut(0, round(seconds * a.rate_Hz)) for a in self.animals))

    def take(self, rows: Sequence[int] | Array) -> Cohort:
        return replace(self, animals=tuple(self.animals[i] for i in rows))

    def digest(self) -> str:
        """sha256 of all values."""
        out = hashlib.sha256()
        for a in self.animals:
            out.update(np.ascontiguousarray(a.values, np.float64).tobytes())
        return out.hexdigest()


@dataclass(frozen=True)
class Frame:
    """Standard axes, fitted to recorded animals alone: z = (x - mean) / scale, at most `keep` principal components.

    Without them a model could move the ruler that it is measured with.
    """

    mean: Array
    scale: Array
    basis: Array

    @classmethod
    def fit(cls, cohort: Cohort, keep: int = 6) -> Frame:
        every = np.concatenate([a.values[:: max(1, len(a.values) // 4000)] for a in cohort.animals])
        mean, scale = np.nanmean(every, 0), np.nanstd(every, 0)
        scale = np.where(scale > 0, scale, 1.0)
        basis = np.eye(len(mean))
        if len(mean) > keep:
            z = (every - mean) / scale
            z = z[np.isfinite(z).all(1)]
            basis = np.linalg.eigh(z.T @ z)[1][:, ::-1][:, :keep]
            basis = basis / (z @ basis).std(0)
        return cls(mean, scale, basis)

    def __call__(self, series: Series) -> Array:
        """(T, k) standardised, NaN where a channel is missing."""
        return ((series.values - self.mean) / self.scale) @ self.basis


def matched(real: Cohort, model: Cohort) -> tuple[Cohort, Cohort]:
    """Both with the seconds of the shorter. DataError where rate or channels differ: nothing is resampled here."""
    if not np.isclose(real.rate_Hz, model.rate_Hz, rtol=1e-3):
        raise DataError(
            f"recorded at {real.rate_Hz:g} Hz, simulated at {model.rate_Hz:g} Hz: put both through one pipeline"
        )
    if real.channels != model.channels:
        raise DataError(f"recorded {', '.join(real.channels)}; simulated {', '.join(model.channels)}")
    seconds = min(real.seconds, model.seconds)
    return real.first(seconds), model.first(seconds)
