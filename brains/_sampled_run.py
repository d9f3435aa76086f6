"""Running a sampled network: edges stored, or made anew at every spike."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from bestiary.brains import _sampled as sampled
from bestiary.brains._sampled import Array, Memory, SampledNetwork
from bestiary.brains.spiking._describe import in_steps
from bestiary.brains.spiking.simulation import Run, _key
from bestiary.errors import BestiaryError, UnknownNeuronError

GONE = 2**31 - 2  # the step until which a lesioned cell is refractory


class SampledSimulation:
    """A sampled network ready to run: `state = init(seed)`, `state, run = step(state, steps)`.

    stored: keep the edges (3 bytes each), or make them anew at every spike; None: keep them if they fit. threads:
    cores; results do not depend on it. limit_bytes: memory that may be used, None: 80 % of what is free.
    lesion, silence: populations (names, `*` allowed), or cells by row; they never fire, or fire unheard. drive: reserve
    an input (mV of steady depolarisation; Hz on cells of `relays`) for every cell. relays: populations that only pass
    on their drive as Poisson spikes. Raises BestiaryError before anything is built where it does not fit.
    """

    def __init__(
        self,
        network: SampledNetwork,
        *,
        stored: bool | None = None,
        threads: int = 1,
        limit_bytes: int | None = None,
        lesion: Iterable[str] = (),
        silence: Iterable[str] = (),
        drive: bool = False,
        relays: Iterable[str] = (),
        lesion_cells: Array | None = None,
        silence_cells: Array | None = None,
    ) -> None:
        if threads < 1:
            raise BestiaryError(f"threads must be at least 1, got {threads}")
        self.network, self.threads = network, threads
        sampled.fits(sampled.memory(network), stored, limit_bytes)  # before the rows, which are many
        self.rows = rows = sampled.make_rows(network)
        self.memory: Memory = sampled.memory(network, rows)
        self.stored = sampled.fits(self.memory, stored, limit_bytes)
        n, first = network.n, network.first
        self._drive = drive or bool(tuple(relays))
        self._relays = self.populations(relays)
        self._two = any(p.cell.excites_s != p.cell.inhibits_s for p in network.populations) or network.glif is not None
        self._pop_of = np.repeat(np.arange(len(first) - 1, dtype=np.int32), network.sizes)
        self._heard = np.ones(n, np.uint8)
        self._gone = np.zeros(n, bool)
        for words, array, value in ((silence, self._heard, 0), (lesion, self._gone, True)):
            for p in self.populations(words):
                array[first[p] : first[p + 1]] = value
        if silence_cells is not None:
            self._heard[silence_cells] = 0
        if lesion_cells is not None:
            self._gone[lesion_cells] = True
        d = len(rows.delays)
        self._counts, self._base = self._exact_counts(d)
        from scipy.special import ndtri

        self._normal = np.rint(ndtri((np.arange(4096) + 0.5) / 4096) * 2**16).astype(np.int64)
        self._ptr = np.zeros(2, np.int64)
        self._ptr_at = np.zeros(1, np.int64)
        self._idx, self._code = np.zeros(1, np.uint16), np.zeros(1, np.uint8)
        if self.stored:
            self._store()
        self._segments()
        self._constants()
        self.delivered = 0  # synaptic events so far

    # --- building

    def populations(self, words: Iterable[str]) -> list[int]:
        """Rows of the populations that words name. Raises UnknownNeuronError."""
        import fnmatch

        import bestiary

        names = [p.name for p in self.network.populations]
        out: list[int] = []
        for word in (words,) if isinstance(words, str) else words:
            hit = [i for i, name in enumerate(names) if fnmatch.fnmatchcase(name, word)]
            if not hit:
                raise UnknownNeuronError(f"no population {word!r}; {bestiary.nearest(word, names, 'population')}")
            out += hit
        return out

    def _exact_counts(self, d: int) -> tuple[Array, Array]:
        net, rows = self.network, self.rows
        pops = len(net.populations)
        base = np.zeros(pops + 1, np.int64)
        if not net.exact:
            return np.zeros(1, np.uint8), base
        from bestiary.brains import _sampled_kernel

        count_exact: Any = _sampled_kernel.count_exact

        width = np.array([rows.at[(p + 1) * d] - rows.at[p * d] for p in range(pops)], np.int64)
        base[1:] = np.cumsum(width * net.sizes)
        counts = np.zeros(int(base[-1]), np.uint16)
        order = np.argsort(rows.projection, kind="stable")
        cuts = np.searchsorted(rows.projection[order], np.arange(len(net.projections) + 1))
        for i in range(len(net.projections)):
            mine = order[cuts[i] : cuts[i + 1]]
            if not len(mine):
                continue
            p = int(net.projections.source[i])
            below = np.minimum(np.cumsum(rows.share[mine]) * 2.0**32, 2.0**32 - 1).astype(np.uint64)
            below[-1] = 2**32
            offset = (mine - rows.at[p * d]).astype(np.int64)
            total = round(float(net.projections.synapses[i]))
            key = rows.key[mine[0]]
            out = counts[base[p] : base[p + 1]]
            count_exact(total, key, int(net.sizes[p]), below, int(width[p]), offset, out)
        if counts.max(initial=0) < 256:
            counts = counts.astype(np.uint8)
        return counts, base

    def _row_arrays(self) -> tuple[Any, ...]:
        r = self.rows
        return r.first, r.size, r.wide, r.high, r.mean, r.table, r.reach, r.key, r.codes

    def _store(self) -> None:
        from bestiary.brains import _sampled_kernel

        edges_of: Any = _sampled_kernel.edges_of

        net, rows, d = self.network, self.rows, len(self.rows.delays)
        many = len(rows.bounds) - 1
        self._ptr = np.zeros(many * (net.n * d + 1), np.int64)
        self._ptr_at = np.arange(many, dtype=np.int64) * (net.n * d + 1)

        def go(fill: bool, s: int) -> int:
            part = self._ptr[self._ptr_at[s] : self._ptr_at[s] + net.n * d + 1]
            return int(
                edges_of(
                    fill, s, self._pop_of, net.first, self._base, d, rows.at, rows.of, rows.upto, rows.bounds,
                    *self._row_arrays(), self._normal, net.exact, self._counts, part, self._idx, self._code,
                )
            )  # fmt: skip

        totals = np.concatenate([[0], np.cumsum([go(False, s) for s in range(many)])])
        for s in range(many):
            self._ptr[self._ptr_at[s] : self._ptr_at[s] + net.n * d + 1] += totals[s]
        self._idx, self._code = np.empty(totals[-1], np.uint16), np.empty(totals[-1], np.uint8)
        for s in range(many):
            go(True, s)
        self._counts = np.zeros(1, np.uint8)  # the pointers say it now
        self.synapses = int(totals[-1])

    def _segments(self) -> None:
        """Pieces of populations inside shards."""
        first, bounds = self.network.first, self.rows.bounds
        pop, lo, hi, at = [], [], [], [0]
        for s in range(len(bounds) - 1):
            for p in range(len(first) - 1):
                a, b = max(first[p], bounds[s]), min(first[p + 1], bounds[s + 1])
                if a < b:
                    pop.append(p)
                    lo.append(a)
                    hi.append(b)
            at.append(len(pop))
        self._seg = (np.array(pop, np.int32), np.array(lo, np.int64), np.array(hi, np.int64), np.array(at, np.int64))

    def _constants(self) -> None:
        net = self.network
        dt = net.dt_s
        P = np.zeros((len(net.populations), 13), np.float32)
        T = np.full((len(net.populations), 17), 2**32 - 1, np.uint32)
        most = 0
        relays = set(self._relays)
        for i, p in enumerate(net.populations):
            c = p.cell
            r = c.tau_s / c.capacitance_pF * 1e6  # MOhm: mV per nA
            keep = math.exp(-dt / c.tau_s)
            P[i, 0] = keep
            P[i, 1], P[i, 2] = (_carried(c.tau_s, s, r, dt) for s in (c.excites_s, c.inhibits_s))
            P[i, 3] = r * 1e-3 * p.current_pA * (1 - keep)
            P[i, 4], P[i, 5] = math.exp(-dt / c.excites_s), math.exp(-dt / c.inhibits_s)
            P[i, 6] = c.threshold_mV - c.rest_mV
            P[i, 7] = c.reset_mV - c.rest_mV
            P[i, 8] = p.background_pA
            P[i, 9] = 1 - keep
            P[i, 10] = dt * 2.0**24 if i in relays else 0.0
            P[i, 11] = 0 if i in relays else int(in_steps(c.refractory_s, dt, "refractory time", round_to_step=True))
            P[i, 12] = p.current_pA
            if i in relays:
                P[i, 6] = np.inf
            if p.background_Hz:
                limits = _thresholds(p.background_Hz * dt)
                T[i, : len(limits)] = limits
                most = max(most, len(limits))
        G = np.zeros((1, 11), np.float32) if net.glif is None else _glif_constants(net.glif, dt)
        fit_of = np.zeros(net.n if net.glif is not None else 1, np.int32)
        if net.glif is not None:
            rng = np.random.default_rng(np.random.SeedSequence(net.seed, spawn_key=(7,)))
            for i, p in enumerate(net.populations):
                if p.fits:
                    fit_of[net.first[i] : net.first[i + 1]] = rng.choice(p.fits, p.size)
        self._P, self._T, self._G, self._fit_of, self._most = P, T, G, fit_of, most

    # --- running

    def init(self, seed: int = 0) -> dict[str, Array]:
        """The state at time 0; seed: of the potentials at start and of the background."""
        net, rows = self.network, self.rows
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
        v = np.empty(net.n, np.float32)
        for i, p in enumerate(net.populations):
            a, b = net.first[i], net.first[i + 1]
            mean, sd = p.start_mV
            drawn = rng.normal(mean - p.cell.rest_mV, sd, p.size)
            v[a:b] = drawn
        if net.glif is not None:
            # below threshold: a fitted cell's threshold may lie anywhere
            v = np.minimum(v, 0.9 * self._G[self._fit_of, 2]).astype(np.float32)
        slots = int(rows.delays.max()) + 1
        least = min(max(1, round(p.cell.refractory_s / net.dt_s)) for p in net.populations)
        cap = net.n * math.ceil(slots / (1 if self._relays else least)) + 1
        until = np.zeros(net.n, np.int32)
        until[self._gone] = GONE
        glif = net.n if net.glif is not None else 1
        return {
            "V": v,
            "IE": np.zeros(net.n, np.float32),
            "II": np.zeros(net.n if self._two else 1, np.float32),
            "ACC": np.zeros(net.n * (2 if self._two else 1), np.int32),
            "A1": np.zeros(glif, np.float32),
            "A2": np.zeros(glif, np.float32),
            "until": until,
            "hist": np.zeros(cap, np.int32),
            "meta": np.zeros(2, np.int64),
            "count": np.zeros(slots, np.int64),
            "start": np.zeros(slots, np.int64),
            "key": np.array([_key(seed)], np.uint32),
        }

    def step(self, state: dict[str, Array], steps: int, drive: Array | None = None) -> tuple[dict[str, Array], Run]:
        """(state, spikes) after `steps` steps; uses up the state. drive (n,): see the class."""
        if drive is not None and not self._drive:
            raise BestiaryError("this simulation has no input: SampledSimulation(network, drive=True)")
        from bestiary.brains._sampled_kernel import stepper

        net, rows = self.network, self.rows
        kernel = stepper(self.stored, self._two, net.glif is not None, self._drive, self.threads > 1, self._most)
        if self.threads > 1:
            import numba

            numba.set_num_threads(min(self.threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]  # numba fills its config at import
        given = np.zeros(net.n if self._drive else 1, np.float32) if drive is None else np.asarray(drive, np.float32)
        room = max(2 * net.n, 1 << 20)
        out = np.empty((2, room), np.int32)
        many = len(rows.bounds) - 1
        found = np.zeros((many, int(np.diff(rows.bounds).max()) + 1), np.int32)
        events = np.zeros(many, np.int64)
        sign = np.array([1 if p.excites else -1 for p in net.populations], np.int32)
        got, left = [], steps
        while left:
            done, spikes = kernel(
                left, state["V"], state["IE"], state["II"], state["ACC"], state["A1"], state["A2"], state["until"],
                state["hist"], state["meta"], state["count"], state["start"], state["key"][0],
                self._pop_of, net.first, self._base, sign, *self._seg, self._P, self._T, self._G, self._fit_of,
                rows.bounds, rows.delays, rows.at, rows.of, rows.upto, *self._row_arrays(), rows.level, self._normal,
                net.exact, self._counts, self._ptr, self._ptr_at, self._idx, self._code, np.float32(rows.unit_pA),
                given, self._heard, out[0], out[1], found, events,
            )  # fmt: skip
            got.append(out[:, :spikes].copy())
            left -= done
        self.delivered += int(events.sum())
        spikes = np.concatenate(got, 1) if got else np.empty((2, 0), np.int32)
        return state, Run(spikes[0], spikes[1], np.empty((steps, 0)), steps, net.dt_s)

    def run(self, seconds: float, seed: int = 0, drive: Array | None = None) -> Run:
        """From time 0 for `seconds`."""
        steps = int(in_steps(seconds, self.network.dt_s, "duration"))
        return self.step(self.init(seed), steps, drive)[1]

    def rates_Hz(self, run: Run, skip_s: float = 0.0) -> Array:
        """(P,) mean rate of each population after the first skip_s."""
        who = run.neuron[run.time_s >= skip_s]
        count = np.bincount(self._pop_of[who], minlength=len(self.network.populations))
        return np.asarray(count / self.network.sizes / max(run.duration_s - skip_s, 1e-12))


def _carried(tau_m: float, tau_s: float, r: float, dt: float) -> float:
    """mV after dt from a current of 1 pA now that decays with tau_s (Rotter & Diesmann 1999 Biol Cybern 81:381)."""
    if abs(tau_m - tau_s) < 1e-9:
        return r * 1e-3 * dt / tau_m * math.exp(-dt / tau_m)
    return r * 1e-3 * tau_s / (tau_m - tau_s) * (math.exp(-dt / tau_m) - math.exp(-dt / tau_s))


def _thresholds(mean: float) -> Array:
    """uint32 that a random one must be above for 1, 2, 3, ... events, up to what comes once in a million draws."""
    p = total = math.exp(-mean)
    out: list[int] = []
    k = 0
    while len(out) < 16 and 1 - total > 2.0**-20:
        out.append(min(round(total * 2.0**32), 2**32 - 1))
        k += 1
        p *= mean / k
        total += p
    return np.array(out, np.uint32)


def _glif_constants(fits: Array, dt: float) -> Array:
    """Columns of the kernel from (tau_s, capacitance_pF, threshold_mV above rest, reset_mV above rest, refractory_s,
    k1, k2 per s, jump1, jump2 pA, keep1, keep2)."""
    f = np.asarray(fits, float)
    tau, c, theta, reset, still, k1, k2, j1, j2, f1, f2 = f.T
    keep = np.exp(-dt / tau)
    gain = tau / c * 1e3 * (1 - keep)  # mV per pA: 1 s / 1 pF is 1e12 Ohm
    out = [keep, gain, theta, np.exp(-dt * k1), np.exp(-dt * k2), reset, np.rint(still / dt), j1, j2, f1, f2]
    return np.stack(out, 1).astype(np.float32)
