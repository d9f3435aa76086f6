"""Open-loop experiments: drive some neurons, silence others, see who fires. What `bestiary stimulate` runs.

from bestiary.brains.spiking import stimulate
result = stimulate("flywire", drive={"sugar/water & side=L": 100}, silence=["bitter"], record=["motor"], trials=30)
print(result.table()[:10]); result.plot_raster("raster.png"); result.to_parquet("spikes.parquet")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary.brains.connectome import Connectome, read_connectome
from bestiary.brains.connectome._core import Query
from bestiary.errors import BestiaryError, DataError

Array = np.ndarray[Any, np.dtype[Any]]
BRAINS = {
    "flywire": "FlyWire 783, the whole fly brain: 138,639 neurons; needs large data",
    "shiu2024": "the published model, which is what `stimulate` runs on `flywire`: the same",
    "fly-circuits": "small circuits of the fly typed in from publications, most weights fitted; ships",
    "flywire-surrogate": "its size and statistics, wired at random",
    "p9": "196 neurons of FlyWire 630 that P9 makes fire; needs data",
}


def brain(name: str | Connectome) -> Connectome:
    """The connectome of a spiking brain: one of BRAINS, the path of a connectome file, or a Connectome itself."""
    if isinstance(name, Connectome):
        return name
    if name == "flywire-surrogate":
        from bestiary.brains._surrogate import flywire_surrogate

        return flywire_surrogate()
    if name == "fly-circuits":
        from bestiary.brains._fly_circuits import fly_circuits

        return fly_circuits()
    if name in BRAINS:
        from bestiary.brains import _flywire, _shiu

        return _shiu.p9_connectome() if name == "p9" else _flywire.flywire_connectome()
    if Path(name).is_file():
        return read_connectome(name)
    if name in bestiary.animals("interfaces"):
        raise LookupError(
            f"{name} has no spiking brain, its neurons are graded: `bestiary run {name} --stimulate` drives them in "
            f"the body. Spiking are {', '.join(BRAINS)} and any connectome file"
        )
    raise LookupError(f"no spiking brain {name!r}, and no such file; {bestiary.nearest(name, BRAINS, 'brain')}")


def parse_drive(words: Iterable[str]) -> dict[str | tuple[str, ...], float]:
    """{"sugar": 100.0, ("a", "b"): 5.0} from ["sugar=100Hz", "a,b=5Hz"]. Raises BestiaryError for what has no rate."""
    found: dict[str | tuple[str, ...], float] = {}
    for word in words:
        text, _, rate = word.rpartition("=")
        parts = tuple(part.strip() for part in text.split(",") if part.strip())
        query = parts[0] if len(parts) == 1 else parts
        try:
            found[query] = float(rate.strip().removesuffix("Hz"))
        except ValueError:
            found[query] = -1.0
        if not query or not 0 <= found[query] <= 1e4:
            raise BestiaryError(f"--drive takes NEURONS=RATE, as in sugar=100Hz (0 to 10000 Hz), got {word!r}")
    return found


@dataclass(frozen=True, eq=False)
class Stimulation:
    """Spikes of the recorded neurons in all trials. trial, step, neuron (m,): neuron is a row of the connectome.

    recorded: rows; driven: rows -> Hz; silenced: rows. seconds: of each trial.
    """

    connectome: Connectome
    recorded: Array
    driven: dict[int, float]
    silenced: Array
    trial: Array
    step: Array
    neuron: Array
    trials: int
    seconds: float
    dt_s: float
    name: str = ""

    @property
    def time_s(self) -> Array:
        """(m,) time of each spike in its trial."""
        return self.step * self.dt_s

    def rates_Hz(self) -> Array:
        """(trials, n_recorded), onset included."""
        column = np.full(len(self.connectome), -1)
        column[self.recorded] = np.arange(len(self.recorded))
        count = np.zeros((self.trials, len(self.recorded)))
        np.add.at(count, (self.trial, column[self.neuron]), 1)
        return count / self.seconds

    def table(self, active: bool = True) -> list[dict[str, Any]]:
        """A row for each recorded neuron (active: those with a spike): highest rate first.

        id, name, type, side, driven_Hz, rate_Hz and its sd_Hz over trials, share of trials with a spike, first_ms: mean
        time of the first spike in those.
        """
        c, rate = self.connectome, self.rates_Hz()
        first = self._first_s()
        mean = rate.mean(0)
        order = np.argsort(-mean, kind="stable")
        return [
            {
                "id": str(c.ids[r]),
                "name": str(c.names[r]),
                "type": str(c.types[r]),
                "side": str(c.sides[r]),
                "driven_Hz": self.driven.get(int(r), 0.0),
                "rate_Hz": float(mean[i]),
                "sd_Hz": float(rate[:, i].std()),
                "share": float((rate[:, i] > 0).mean()),
                "first_ms": float(np.nanmean(first[:, i]) * 1e3) if mean[i] else float("nan"),
            }
            for i in order
            if mean[i] or not active
            for r in [self.recorded[i]]
        ]

    def _first_s(self) -> Array:
        """(trials, n_recorded) time of the first spike, NaN without."""
        n = len(self.connectome)
        first = np.full(self.trials * n, np.nan)
        key, at = np.unique(self.trial.astype(np.int64) * n + self.neuron, return_index=True)
        first[key] = self.time_s[at]  # spikes are in order of time in each trial
        return first.reshape(self.trials, n)[:, self.recorded]

    def _names(self, rows: Array) -> list[str]:
        return [str(n) for n in self.connectome.names[rows]]

    def plot_raster(self, path: str | Path, most: int = 40, trial: int | None = 0) -> Path:
        """Spikes of the `most` active recorded neurons in one trial; trial=None: all, on top of each other."""
        figure, axes = _figure(most)
        mean = self.rates_Hz().mean(0)
        shown = self.recorded[np.argsort(-mean, kind="stable")[:most]]
        shown = shown[np.isin(shown, self.neuron)]
        use = np.ones(len(self.trial), bool) if trial is None else self.trial == trial
        lines = [self.time_s[use & (self.neuron == r)] for r in shown]
        axes.eventplot(lines or [[]], linelengths=0.8, linewidths=0.6, colors="black")
        axes.set(xlabel="time (s)", xlim=(0, self.seconds), ylim=(max(1, len(shown)) - 0.5, -0.5))
        axes.set_yticks(range(len(shown)), self._names(shown), fontsize=6)
        axes.set_title(f"{self.name} {'all trials' if trial is None else f'trial {trial}'}")
        return _saved(figure, path)

    def plot_rates(self, path: str | Path, most: int = 40) -> Path:
        """Mean rate and its standard deviation over trials of the `most` active recorded neurons."""
        figure, axes = _figure(most)
        rate = self.rates_Hz()
        order = [i for i in np.argsort(-rate.mean(0), kind="stable")[:most] if rate[:, i].any()]
        colours = ["tab:orange" if int(self.recorded[i]) in self.driven else "tab:blue" for i in order]
        axes.barh(range(len(order)), rate.mean(0)[order], xerr=rate.std(0)[order], color=colours)
        axes.set_yticks(range(len(order)), self._names(self.recorded[order]), fontsize=6)
        axes.set(xlabel="rate (Hz); orange: driven", ylim=(max(1, len(order)) - 0.5, -0.5), title=self.name)
        return _saved(figure, path)

    def to_parquet(self, path: str | Path) -> Path:
        """Columns t (s), trial, id, exp_name: those of the published model, its flywire_id as text `id`."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise DataError("writing Parquet needs pyarrow: pip install 'bestiary[parquet]'") from None
        table = {
            "t": self.time_s,
            "trial": self.trial.astype(np.int32),
            "id": self.connectome.ids[self.neuron].tolist(),
            "exp_name": [self.name] * len(self.trial),
        }
        part = f"{path}.part"
        pyarrow.parquet.write_table(pyarrow.table(table), part)
        os.replace(part, path)
        return Path(path)

    def to_nwb(self, path: str | Path) -> Path:
        """NWB file: a unit for each recorded neuron that fired; trials one after another, with their start and stop."""
        try:
            import pynwb
        except ImportError:
            raise DataError("writing NWB needs pynwb: pip install 'bestiary[nwb]'") from None
        from datetime import UTC, datetime

        start = datetime(1970, 1, 1, tzinfo=UTC)  # a simulation has no date; equal runs give equal files
        file = pynwb.NWBFile(
            self.name or "stimulation",
            f"bestiary-{self.name}",
            start,
            source_script="bestiary stimulate",
            source_script_file_name="bestiary",
        )
        for column in ("id", "name", "type"):
            file.add_unit_column(f"neuron_{column}", f"{column} of the neuron in the connectome")
        for k in range(self.trials):
            file.add_trial(start_time=k * self.seconds, stop_time=(k + 1) * self.seconds)
        c, time = self.connectome, self.time_s + self.trial * self.seconds
        order = np.lexsort((time, self.neuron))
        rows, start_at = np.unique(self.neuron[order], return_index=True)
        for r, spikes in zip(rows, np.split(time[order], start_at[1:]), strict=False):
            file.add_unit(
                spike_times=spikes, neuron_id=str(c.ids[r]), neuron_name=str(c.names[r]), neuron_type=str(c.types[r])
            )
        part = Path(path).with_suffix(".part.nwb")
        with pynwb.NWBHDF5IO(str(part), "w") as out:
            out.write(file)
        os.replace(part, path)
        return Path(path)


def stimulate(
    what: str | Connectome,
    *,
    drive: Mapping[Any, float] | Iterable[str] = (),
    silence: Query = (),
    lesion: Query = (),
    record: Query | None = None,
    trials: int = 30,
    seconds: float = 1.0,
    seed: int = 0,
    dt_s: float = 1e-4,
    backend: str | None = None,
    device: str | None = None,
    threads: int = 1,
    name: str | None = None,
    on_trial: Callable[[int], None] | None = None,
) -> Stimulation:
    """Poisson input onto some neurons of a spiking brain under the equations of Shiu et al. 2024.

    what: see `brain`. drive: neurons (anything that Connectome.select takes) to rate in Hz, or texts "sugar=100Hz".
    silence: cuts outputs, as the published code does; lesion: inputs too. record: None records all.
    backend, device: as in Simulation. name: in titles and files; else the brain's. on_trial(number done): for
    progress bars. Trial k of seed s is the same whatever the number of trials and threads.
    Raises UnknownNeuronError, BestiaryError.
    """
    from bestiary.brains._shiu import shiu_network
    from bestiary.brains.spiking import Simulation

    if trials < 1 or threads < 1:
        raise BestiaryError(f"trials and threads must be at least 1, got {trials} and {threads}")
    wanted = dict(drive) if isinstance(drive, Mapping) else parse_drive([drive] if isinstance(drive, str) else drive)
    c = brain(what)
    targets = {q: c.select(list(q) if isinstance(q, tuple) else q) for q in wanted}
    cut, gone = (np.empty(0, int) if np.size(q) == 0 else c.select(q) for q in (silence, lesion))
    wired = c.silence(cut) if len(cut) else c
    wired = wired.lesion(gone) if len(gone) else wired
    sim = Simulation(shiu_network(wired, wanted, dt_s=dt_s), backend=backend, device=device, record=record)
    done = 0

    def one(k: int) -> Any:
        nonlocal done
        run = sim.run(seconds, seed=[seed, k])
        done += 1
        if on_trial is not None:
            on_trial(done)
        return run

    if threads == 1:
        runs = [one(k) for k in range(trials)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            runs = list(pool.map(one, range(trials)))
    return Stimulation(
        connectome=c,
        recorded=sim.recorded,
        driven={int(r): float(hz) for q, hz in wanted.items() for r in targets[q]},
        silenced=np.concatenate([cut, gone]),
        trial=np.repeat(np.arange(trials), [len(r.step) for r in runs]),
        step=np.concatenate([r.step for r in runs]),
        neuron=np.concatenate([r.neuron for r in runs]),
        trials=trials,
        seconds=seconds,
        dt_s=dt_s,
        name=name or (what if isinstance(what, str) else c.source),
    )


def _figure(most: int) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1 + 0.16 * most), layout="constrained")
    return figure, figure.subplots()


def _saved(figure: Any, path: str | Path) -> Path:
    figure.savefig(path, dpi=150)
    return Path(path)
