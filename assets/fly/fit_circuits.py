"""Fits the weights of circuits.csv that say what they are fitted to, one target cell type at a time.

Round by round: the whole network runs every experiment, then the inputs of each type are fitted to its published rates
under the spikes that its inputs then sent. `python assets/fly/fit_circuits.py` rewrites circuits.csv; needs no data.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numba
import numpy as np

from bestiary import assets
from bestiary.brains import _fly_circuits as circuits
from bestiary.brains._fly_targets import EXPERIMENTS, TARGETS
from bestiary.brains._stimulate import stimulate

HERE = Path(__file__).parent
TIED = {"water": 0.72, "leg_sugar": 2.0}  # weights that follow those of sugar
TRIALS, STEPS, DELAY = 3, 10_000, 18


@numba.njit(cache=False)
def spikes(drive: np.ndarray) -> int:
    """Spikes of one cell of Shiu et al. 2024 in a run; drive (steps,): what arrives at g in each step, mV."""
    keep_v, keep_g = np.exp(-1e-4 / 0.020), np.exp(-1e-4 / 0.005)
    gain = 0.005 / (0.020 - 0.005) * (keep_v - keep_g)
    v = g = 0.0
    until = count = 0
    for k in range(drive.size):
        if k >= until:
            v, g = keep_v * v + gain * g, keep_g * g
            if v > 7:
                count += 1
                v = g = 0.0
                until = k + 22
            else:
                g += drive[k]
    return count


def arrivals(run, c, exp_rows):
    """(trials, inputs, steps) spikes that arrive from each group of rows."""
    out = np.zeros((TRIALS, len(exp_rows), STEPS + DELAY), np.float32)
    group = np.full(len(c), -1)
    for g, rows in enumerate(exp_rows):
        group[:] = -1
        group[rows] = g
        use = group[run.neuron] >= 0
        np.add.at(out[:, g], (run.trial[use], run.step[use] + DELAY), 1)
    return out[:, :, :STEPS]


def fit_type(word, edges, c, runs, wanted, rng):
    """New weights of the rows of circuits.csv onto `word`."""
    sign = [-1 if c.transmitters[c.select(e["pre"])[0]] in circuits.INHIBITORY else 1 for e in edges]
    cases = []
    for (exp, side), rate in wanted.items():
        groups = []
        for e in edges:
            sides = [s for s in "LR" if e["side"] == "both" or (e["side"] == "ipsi") == (s == side)]
            groups.append(np.concatenate([c.select(f"type={e['pre']} & side={s}") for s in sides]))
        came = arrivals(runs[exp], c, groups)
        cases.append((came * (0.275 * np.array(sign)[None, :, None]).astype(np.float32), rate))
    start = np.array([float(e["weight"]) for e in edges])
    free = np.array([bool(e["fitted_to"]) for e in edges])

    def loss(w):
        total = 0.0
        for came, rate in cases:
            got = np.mean([spikes(np.tensordot(w.astype(np.float32), one, 1)) for one in came])
            total += ((got - rate) / max(1.5, 0.04 * rate)) ** 2
        return total / len(cases) + 0.03 * np.sum(np.log((w + 0.2) / (start + 0.2)) ** 2)

    best, low, spread = start.copy(), loss(start), 0.3
    for _ in range(120 if word == "MN9" else 40):
        brood = best * np.exp(spread * rng.standard_normal((20, len(best))) * free)
        scores = [loss(w) for w in brood]
        if min(scores) < low:
            best, low = brood[int(np.argmin(scores))], min(scores)
        else:
            spread = max(0.93 * spread, 0.03)
    return np.where(free, np.round(best, 2), start), low


def main(rounds: int = 3, only: str = "") -> None:
    rng = np.random.default_rng(0)
    path = HERE / "circuits.csv"
    for turn in range(rounds + 1):
        circuits.fly_circuits.cache_clear()
        c = circuits.fly_circuits()
        runs = {k: stimulate(c, drive=dict(d), trials=TRIALS, seed=turn) for k, d in EXPERIMENTS.items()}
        row = {n: i for i, n in enumerate(c.names)}
        worst = []
        for (exp, name), rate in TARGETS.items():
            got = runs[exp].rates_Hz().mean(0)[row[name]]
            worst.append((exp, name, rate, got))
        error = np.array([(g - r) / max(1.5, 0.06 * r) for _, _, r, g in worst])
        print(f"round {turn}: rms {np.sqrt((error**2).mean()):.2f}", flush=True)
        if turn == rounds:
            for exp, name, rate, got in worst:
                print(f"{exp:20s} {name:12s} {rate:7.1f} {got:7.1f}")
            return
        table = assets.rows("fly", "circuits.csv")
        for word in dict.fromkeys(e["post"] for e in table):
            edges = [e for e in table if e["post"] == word]
            wanted = {(exp, n[-1]): r for (exp, n), r in TARGETS.items() if n[:-2] == word}
            if (only and word not in only.split(",")) or not wanted or not any(e["fitted_to"] for e in edges):
                continue
            new, low = fit_type(word, edges, c, runs, wanted, rng)
            for e, w in zip(edges, new, strict=True):
                e["weight"] = f"{w:g}"
            print(f"  {word} {low:.2f}", flush=True)
        sugar = {e["post"]: float(e["weight"]) for e in table if e["pre"] == "sugar" and e["side"] == "ipsi"}
        for e in table:
            for word, share in TIED.items():
                if e["pre"] == word and e["post"] in sugar:
                    e["weight"] = f"{share * sugar[e['post']]:.3g}"
        with open(path, "w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, list(table[0]), lineterminator="\n")
            out.writeheader()
            out.writerows(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, *sys.argv[2:])
