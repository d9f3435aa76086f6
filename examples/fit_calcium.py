"""Gradients through a brain: the worm's graded network is fitted to the correlations of calcium in immobile worms.

    python examples/fit_calcium.py --minutes 3

Target: Pearson correlations of 65 identified neurons (Uzel, Kato & Zimmer 2022 Curr Biol 32:3443), which are not
shipped: BESTIARY_DATA names the folder that holds worm/uzel2022_calcium_corr. The 302 neurons of the connectome, driven
by noise without a body, are simulated and differentiated through (the `brainstate` module on JAX, any device). Fitted:
a gain for every chemical synapse and every gap junction, whose signs and places stay those of the wiring, and a
constant current for every neuron. A fifth of the 65 neurons is held out: no pair with one of them is in the loss.

The same is then done from a rewired connectome (`--control`, for the same number of steps). Prints the loss, and for
both wirings the correlation between model and animal over pairs that were fitted, and over pairs held out. With this
many free gains the fitted pairs say little; what the wiring is worth shows in the held-out ones, or does not.
"""

import argparse
import json
import os
import re
import time
from pathlib import Path

import numpy as np

import bestiary
from bestiary.brains._engine import functional, jax, jnp
from bestiary.brains.graded import ROWS, module

DT_S, CALCIUM_TAU_S, NOISE_MV, RATE, RIDGE = 0.02, 1.0, 3.0, 0.05, 1e-4


def folder():
    """Where the data are: BESTIARY_DATA, or beside a checkout."""
    near = Path(__file__).resolve().parents[2] / "shared" / "data"
    found = Path(os.environ.get("BESTIARY_DATA", near)) / "worm" / "uzel2022_calcium_corr"
    if not found.is_dir():
        raise SystemExit("no worm/uzel2022_calcium_corr: set BESTIARY_DATA to the folder of the data")
    return found


class Model:
    """A wiring, its free gains, and the correlations that it makes."""

    def __init__(self, control, control_seed, names, seconds):
        brain = bestiary.animal("worm", control=control, control_seed=control_seed).brain
        net, n = brain.net, len(brain.names)
        at = {name: i for i, name in enumerate(brain.names)}
        self.seen = np.array([at[name] for name in names])
        eq = net.equilibrium()
        fixed = {k: jnp.asarray(v) for k, v in net.compiled(DT_S).items()}
        kick = NOISE_MV * eq["membrane_nS"] * np.sqrt(1 - np.exp(-2 * DT_S / net.noise_tau_s))
        fixed["ou_kick"] = jnp.asarray(kick, jnp.float32)
        post, pre = (jnp.asarray(x) for x in np.nonzero(net.synapse_nS))
        a, b = (jnp.asarray(x) for x in np.nonzero(np.triu(net.gap_nS)))
        g, e = (jnp.asarray(x, jnp.float32) for x in (net.synapse_nS, net.reversal_mV))
        gap, leak = jnp.asarray(net.gap_nS, jnp.float32), jnp.asarray(net.leak_nS, jnp.float32)
        most, c = (
            jnp.asarray(net.release_max(), jnp.float32),
            jnp.asarray(net.capacitance_pF * 1e-3 / DT_S, jnp.float32),
        )
        self.free = {"synapse": jnp.zeros(len(pre)), "gap": jnp.zeros(len(a)), "current_pA": jnp.zeros(n)}
        zero, steps = jnp.zeros(n, jnp.float32), round(seconds / DT_S)
        example = {**dict.fromkeys((*ROWS, "plateau_mV"), zero), **fixed}
        start, step = functional(module(n), example, zero, zero)
        start |= {"v": jnp.asarray(eq["forward"], jnp.float32), "s": jnp.asarray(eq["tone"], jnp.float32)}
        keep = float(np.exp(-DT_S / CALCIUM_TAU_S))

        def constants(free):
            """`GradedNetwork.compiled`, of other gains."""
            syn = g.at[post, pre].set(g[post, pre] * jnp.exp(free["synapse"]))
            lap = gap.at[a, b].set(gap[a, b] * jnp.exp(free["gap"]))
            lap = jnp.triu(lap) + jnp.triu(lap).T
            lap = jnp.diag(lap.sum(1)) - lap
            bound = leak + syn @ most
            solve = jnp.linalg.inv(jnp.diag(c + bound) + lap)
            return {**fixed, "syn": jnp.concatenate([syn, syn * e]), "solve": solve, "keep": c + bound - leak}

        def correlations(free, seeds):
            """(65, 65) mean over worms of the correlations of low-passed potentials, the first fifth left out."""
            p = constants(free)

            def one(seed):
                def tick(carry, _):
                    state, calcium = carry
                    state = step(state, p, free["current_pA"], zero)
                    calcium = keep * calcium + (1 - keep) * state["v"][self.seen]
                    return (state, calcium), calcium

                state = start | {"key": jnp.stack([seed, jnp.uint32(0)])}
                _, x = jax.lax.scan(jax.checkpoint(tick), (state, state["v"][self.seen]), None, length=steps)
                x = x[steps // 5 :]
                x = x - x.mean(0)
                x = x / (jnp.sqrt((x**2).sum(0)) + 1e-3)
                return x.T @ x

            return jax.vmap(one)(seeds).mean(0)

        self.correlations = jax.jit(correlations)

        def loss(free, seeds, target, mask):
            off = (correlations(free, seeds) - target) ** 2
            ridge = RIDGE * (
                (free["synapse"] ** 2).mean() + (free["gap"] ** 2).mean() + (free["current_pA"] ** 2).mean()
            )
            return (off * mask).sum() / mask.sum() + ridge

        self.grad = jax.jit(jax.value_and_grad(loss))


def agreement(model, target, mask):
    """Pearson r over the chosen pairs."""
    return float(np.corrcoef(np.asarray(model)[mask], target[mask])[0, 1])


def fit(model, target, fitted, steps, minutes, worms, rng):
    """Adam on the free gains; the loss of each step."""
    free, losses, began = model.free, [], time.monotonic()
    first = jax.tree.map(jnp.zeros_like, free)
    second = first
    for k in range(1, steps + 1):
        seeds = jnp.asarray(rng.integers(2**32, size=worms, dtype=np.uint32))
        value, grad = model.grad(free, seeds, target, fitted)
        size = jnp.sqrt(sum((x**2).sum() for x in grad.values()))
        grad = jax.tree.map(lambda x, size=size: x / jnp.maximum(size, 1e-3) * 1e-3, grad)  # long chains explode
        first = jax.tree.map(lambda m, x: 0.9 * m + 0.1 * x, first, grad)
        second = jax.tree.map(lambda m, x: 0.99 * m + 0.01 * x**2, second, grad)
        pace = RATE / (1 - 0.9**k)

        def moved(x, m, v, k=k, pace=pace):
            return x - pace * m / (jnp.sqrt(v / (1 - 0.99**k)) + 1e-12)

        free = jax.tree.map(moved, free, first, second)
        losses.append(float(value))
        if k == 1 or k % 5 == 0:
            print(f"  step {k:3d}  {time.monotonic() - began:6.1f} s  loss {losses[-1]:.4f}")
        if time.monotonic() - began > 60 * minutes:
            break
    return free, losses


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0, help="of wall time for the measured wiring, at most")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=20.0, help="of simulated time in each step")
    parser.add_argument("--worms", type=int, default=4, help="noise seeds in each step")
    parser.add_argument("--control", default="degree-preserving")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=None, help="folder for fit.json")
    o = parser.parse_args()
    written = (folder() / "Ca_corr_mat_cell_name.txt").read_text().split()
    names = [re.sub(r"0(?=\d$)", "", name) for name in written]  # DA07 is DA7
    target = np.loadtxt(folder() / "Ca_corr_mat.txt").astype(np.float32)
    rng = np.random.default_rng(o.seed)
    out = rng.permutation(len(names)) < len(names) // 5
    pair = np.triu(np.isfinite(target), 1)  # some neurons were never seen in one worm
    target = np.nan_to_num(target)
    held = pair & (out[:, None] | out)
    fitted = pair & ~held
    print(
        f"{len(names)} neurons, {fitted.sum()} pairs fitted, {held.sum()} held out; on {jax.devices()[0].device_kind}"
    )
    test = jnp.arange(1000, 1008, dtype=jnp.uint32)  # noise that no step has seen
    told, steps, minutes = {}, o.steps, o.minutes
    for control in (None, o.control):
        wiring = control or "measured"
        print(f"{wiring} wiring")
        model = Model(control, o.seed, names, o.seconds)
        free, losses = fit(model, target, fitted, steps, minutes, o.worms, np.random.default_rng(o.seed))
        steps, minutes = len(losses), np.inf  # the same number of steps for both
        row = {"loss": [losses[0], losses[-1]], "steps": len(losses)}
        for when, gains in (("before", model.free), ("after", free)):
            made = model.correlations(gains, test)
            row[when] = {"fitted": agreement(made, target, fitted), "held": agreement(made, target, held)}
        told[wiring] = row
    for wiring, row in told.items():
        before, after = row["before"], row["after"]
        r = ", ".join(f"{what} pairs {before[what]:+.2f} to {after[what]:+.2f}" for what in ("fitted", "held"))
        print(f"{wiring}: loss {row['loss'][0]:.4f} to {row['loss'][1]:.4f} in {row['steps']} steps; r of {r}")
    if o.out:
        Path(o.out).mkdir(parents=True, exist_ok=True)
        (Path(o.out) / "fit.json").write_text(json.dumps({"seed": o.seed, **told}, indent=1))


if __name__ == "__main__":
    main()
