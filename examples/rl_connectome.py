"""A connectome as the policy network: the worm's wiring stays, its gains are trained.

    python examples/rl_connectome.py --minutes 3
    python examples/rl_connectome.py --control degree-preserving --minutes 3

The 302 neurons of the worm see and move its body as they always do. What is trained is one gain for each class of
neuron that feels or moves it: how strongly stretch drives the class, how strongly it drives muscle. 32 worms, each with
gains of its own, crawl side by side in a vector environment; an evolution strategy (antithetic, ranked) moves the gains
towards those that went farther. Every generation has new starts. Prints the mean distance of the population, and at
the end, on 32 starts that training did not see, that of the untrained and the trained gains.
"""

import argparse
import json
import time
from pathlib import Path

import gymnasium
import numpy as np

import bestiary

SIGMA, RATE = 0.15, 0.3


class Worms:
    """n worms whose gains differ; they share one brain, so they are stepped together."""

    def __init__(self, n, seconds, control):
        self.n = n
        task = {"seconds": seconds}
        self.envs = gymnasium.make_vec("bestiary/WormCrawl-v0", n, "vector_entry_point", task_options=task).unwrapped
        animal = bestiary.animal("worm", control=control)
        self.brain, self.interface = animal.brain, animal.interface
        self.many = self.brain.many(n)
        table = self.brain.connectome
        types = table.types[table.neurons]
        moved = np.abs(self.interface.nmj).sum(0) > 0
        felt = np.abs(self.interface.stretch).sum(1) > 0
        parts = {"stretch": sorted(set(types[felt])), "muscle": sorted(set(types[moved]))}
        self.classes = [(kind, name) for kind, names in parts.items() for name in names]
        self.of = np.array([types == c for _, c in self.classes], np.float32)
        self.sensory = np.array([kind == "stretch" for kind, _ in self.classes])

    def gains(self, logs, which):
        """(n, neurons) of one kind; 1 for classes that have none."""
        return np.exp(logs[:, which] @ self.of[which]).astype(np.float32)

    def distance(self, logs, seed):
        """(n,) body lengths gone forward in one episode of each worm with log gains `logs` (n, classes)."""
        feel, move = self.gains(logs, self.sensory), self.gains(logs, ~self.sensory)
        obs, info = self.envs.reset(seed=seed)
        state = self.many.joined([self.brain.init(int(s)) for s in info["episode_seed"]])
        skin = self.interface.join([self.interface.init()] * self.n)
        light, total, going = np.zeros_like(feel), np.zeros(self.n), np.ones(self.n, bool)
        while going.any():
            skin, current = self.interface.encode_many(skin, obs)
            state = self.many.advance(state, current * feel, light)
            read = self.brain.read_many(self.many, state)
            rest = read["release_rest"]
            read["release"] = rest + (read["release"] - rest) * move
            obs, reward, ended, cut, _ = self.envs.step(self.interface.decode_many(read))
            total += reward * going
            going &= ~(ended | cut)
        return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0, help="of wall time")
    parser.add_argument("--generations", type=int, default=10**6, help="at most")
    parser.add_argument("--worms", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=8.0, help="of an episode")
    parser.add_argument("--control", default=None, help="another wiring: see `bestiary list`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=None, help="folder for gains.json")
    o = parser.parse_args()
    worms, rng = Worms(o.worms, o.seconds, o.control), np.random.default_rng(o.seed)
    size, half = len(worms.classes), o.worms // 2
    logs, curve, began = np.zeros(size), [], time.monotonic()
    for generation in range(o.generations):
        noise = rng.standard_normal((half, size))
        pairs = np.concatenate([noise, -noise])
        # both of a pair start alike
        seeds = (o.seed * 10**6 + 1000 * (generation + 1) + np.arange(half)).tolist() * 2
        went = worms.distance(logs + SIGMA * pairs, seeds)
        curve.append(float(went.mean()))
        rank = went.argsort().argsort() / (o.worms - 1) - 0.5
        logs += RATE / o.worms / SIGMA * rank @ pairs
        spent = time.monotonic() - began
        print(f"generation {generation + 1:3d}  {spent:6.1f} s  mean {went.mean():+.3f}  best {went.max():+.3f} L")
        if spent > 60 * o.minutes:
            break
    unseen = [10**9 + i for i in range(o.worms)]
    before, after = (worms.distance(np.tile(x, (o.worms, 1)), unseen) for x in (np.zeros(size), logs))
    wiring = o.control or "measured"
    print(
        f"{wiring} wiring, {o.worms} unseen starts of {o.seconds:g} s: {before.mean():+.3f} L (SD {before.std():.3f}) "
        f"untrained, {after.mean():+.3f} L (SD {after.std():.3f}) trained"
    )
    if o.out:
        Path(o.out).mkdir(parents=True, exist_ok=True)
        gains = {f"{kind} {name}": float(np.exp(x)) for (kind, name), x in zip(worms.classes, logs, strict=True)}
        text = json.dumps({"control": o.control, "seed": o.seed, "curve_L": curve, "gains": gains}, indent=1)
        (Path(o.out) / "gains.json").write_text(text)
    worms.envs.close()


if __name__ == "__main__":
    main()
