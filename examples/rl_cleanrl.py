"""PPO in one file, in the manner of CleanRL, with JAX: a body learns a task in a vector environment.

    python examples/rl_cleanrl.py worm --minutes 3
    python examples/rl_cleanrl.py fly --minutes 5 --out runs/ppo-fly

The policy is a small network without a connectome. The worm is moved through 12 dorsoventral bends along the body, the
fly through three knobs of a scripted tripod walk, which stands still while they are at rest: a few minutes do not
teach 78 motors to walk. Prints the mean return of the episodes that ended in each round, in body lengths gone forward,
and those of the first and last tenth of the rounds.
"""

import argparse
import functools
import itertools
import json
import time
from pathlib import Path

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import optax

from bestiary.interfaces._fly_tripod import tripod

GAMMA, LAMBDA, CLIP, ENTROPY, EPOCHS, PARTS, RATE = 0.97, 0.95, 0.2, 1e-3, 4, 4, 3e-4


class WormBends:
    """12 numbers bend the body from nose to tail; senses are stretch, and the command before."""

    id, options, hold, seconds, scale = "bestiary/WormCrawl-v0", {}, 5, 6.0, 100.0

    def __init__(self, envs):
        body = envs.envs[0].body
        side = np.array([1.0 if m[1] == "D" else -1.0 for m in body.motors])
        at = body.muscle_fraction * 12 - 0.5
        self.mix = side * np.clip(1 - np.abs(at - np.arange(12)[:, None]), 0, None)
        self.size, self.last = 12, np.zeros((envs.num_envs, 12))

    def command(self, knobs, held):
        self.last = np.clip(knobs, -1, 1)
        return np.clip(self.last @ self.mix, -1, 1)

    def see(self, obs):
        stretch = obs["stretch"].reshape(len(self.last), 4, -1, 2).mean(3)  # 12 places
        bend = stretch[:, 2:].mean(1) - stretch[:, :2].mean(1)
        return np.concatenate([10 * bend, self.last], 1)


class FlyKnobs:
    """Stride of the left and right legs, and how far the legs are lifted off their standing posture together."""

    id, options, hold, seconds, scale = "bestiary/FlyWalk-v0", {"body_options": {"eyes": False}}, 25, 1.0, 10.0

    def __init__(self, envs):
        body = envs.envs[0].body
        self.cycle = tripod(body)
        self.neutral = body.neutral
        self.left = np.array(["left" in m for m in body.motors])
        self.stuck = np.array([m.startswith("adhere") for m in body.motors])
        self.size, self.last, self.phase = 3, np.zeros((envs.num_envs, 3)), 0

    def command(self, knobs, held):
        if held == 0:
            self.last = np.clip(knobs, -1, 1)
        left, right, both = np.clip(self.last, 0, 1).T[:, :, None]
        share = np.where(self.left, left, right) * (0.5 + 0.5 * both)
        gait = self.cycle[self.phase % len(self.cycle)]
        self.phase += 1
        moved = self.neutral + share * (gait - self.neutral)
        return np.where(self.stuck & (share > 0.05), gait, moved)

    def see(self, obs):
        turn = 2 * np.pi * self.phase / len(self.cycle)
        clock = np.tile([np.sin(turn), np.cos(turn)], (len(self.last), 1))
        gyro = np.tanh(obs["gyro_rad_per_s"] / 10)
        return np.concatenate([obs["gravity"], gyro, 1e5 * obs["leg_load_N"], clock, self.last], 1)


def network(key, sizes):
    """Layers of weights and biases; the last one small, so that the first policy is near rest."""
    keys = jax.random.split(key, len(sizes))
    scale = [np.sqrt(2 / a) for a in sizes[:-2]] + [0.01]
    shapes = itertools.pairwise(sizes)
    return [(s * jax.random.normal(k, (a, b)), jnp.zeros(b)) for k, s, (a, b) in zip(keys, scale, shapes, strict=False)]


def forward(layers, x):
    for w, b in layers[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = layers[-1]
    return x @ w + b


def log_likelihood(p, seen, action):
    sd = jnp.exp(p["log_sd"])
    z = (action - forward(p["actor"], seen)) / sd
    return -0.5 * (z**2).sum(-1) - jnp.log(sd).sum()


@jax.jit
def act(p, seen, key):
    mean = forward(p["actor"], seen)
    action = mean + jnp.exp(p["log_sd"]) * jax.random.normal(key, mean.shape)
    return action, log_likelihood(p, seen, action), forward(p["critic"], seen)[:, 0]


def loss(p, batch):
    """Schulman et al. 2017 (arXiv:1707.06347), clipped, with an entropy bonus."""
    ratio = jnp.exp(log_likelihood(p, batch["seen"], batch["action"]) - batch["logp"])
    gain = (batch["gain"] - batch["gain"].mean()) / (batch["gain"].std() + 1e-8)
    policy = -jnp.minimum(ratio * gain, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * gain).mean()
    value = ((forward(p["critic"], batch["seen"])[:, 0] - batch["goal"]) ** 2).mean()
    return policy + 0.5 * value - ENTROPY * p["log_sd"].sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("animal", choices=["worm", "fly"])
    parser.add_argument("--minutes", type=float, default=3.0, help="of wall time")
    parser.add_argument("--envs", type=int, default=None, help="else 32 worms or 8 flies")
    parser.add_argument("--rounds", type=int, default=10**6, help="of collecting and learning, at most")
    parser.add_argument("--length", type=int, default=64, help="decisions of each environment in a round")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=None, help="folder for curve.json")
    o = parser.parse_args()
    kind = {"worm": WormBends, "fly": FlyKnobs}[o.animal]
    n = o.envs or {"worm": 32, "fly": 8}[o.animal]
    options = {"task_options": {"seconds": kind.seconds}, **kind.options}
    envs = gymnasium.make_vec(kind.id, n, "vector_entry_point", **options).unwrapped
    body = kind(envs)
    obs, _ = envs.reset(seed=o.seed)
    seen = body.see(obs).astype(np.float32)
    key = jax.random.PRNGKey(o.seed)
    width = seen.shape[1]
    keys = jax.random.split(key, 3)
    p = {
        "actor": network(keys[0], (width, 64, 64, body.size)),
        "critic": network(keys[1], (width, 64, 64, 1)),
        "log_sd": jnp.full(body.size, -0.7),
    }
    optimiser = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(RATE))
    memory = optimiser.init(p)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def learn(p, memory, batch):
        grads = jax.grad(loss)(p, batch)
        updates, memory = optimiser.update(grads, memory, p)
        return optax.apply_updates(p, updates), memory

    rng, key = np.random.default_rng(o.seed), keys[2]
    returns, curve, began, decisions = np.zeros(n), [], time.monotonic(), 0
    for number in range(o.rounds):
        rows, done = [], []
        for _ in range(o.length):
            key, now = jax.random.split(key)
            action, logp, value = (np.asarray(x) for x in act(p, seen, now))
            reward, over, cut, fresh = np.zeros(n), np.zeros(n, bool), np.zeros(n, bool), np.zeros(n, bool)
            for held in range(kind.hold):
                obs, r, ended, truncated, info = envs.step(body.command(action, held))
                reward += kind.scale * np.where(over | cut, 0, r)
                fresh |= info.get("_episode_seed", np.zeros(n, bool))
                over, cut = over | ended, cut | truncated
            returns += reward
            row = {"seen": seen, "action": action, "logp": logp, "value": value, "reward": reward, "stop": over | cut}
            rows.append(row)
            for i in np.flatnonzero(over | cut):
                done.append(returns[i])
                returns[i] = 0
            seen = body.see(obs).astype(np.float32)
        decisions += n * o.length
        # generalised advantage estimation (Schulman et al. 2015, arXiv:1506.02438); a cut is taken for an end
        after, gain = np.asarray(act(p, seen, key)[2]), np.zeros(n)
        for row in reversed(rows):
            go = ~row["stop"]
            gain = row["reward"] + GAMMA * after * go - row["value"] + GAMMA * LAMBDA * go * gain
            row["gain"], row["goal"], after = gain, gain + row["value"], row["value"]
        used = ("seen", "action", "logp", "gain", "goal")
        batch = {k: np.concatenate([row[k] for row in rows]).astype(np.float32) for k in used}
        for _ in range(EPOCHS):
            for part in np.array_split(rng.permutation(n * o.length), PARTS):
                p, memory = learn(p, memory, {k: v[part] for k, v in batch.items()})
        spent = time.monotonic() - began
        if done:
            mean = float(np.mean(done)) / kind.scale
            per = {"return": mean, "episodes": len(done), "decisions": decisions, "wall_s": spent}
            curve.append(per)
            print(f"round {number + 1:4d}  {spent:6.1f} s  {decisions:8d} decisions  mean return {mean:+.4f}")
        if spent > 60 * o.minutes:
            break
    if not curve:
        raise SystemExit(f"no episode ended in {decisions} decisions: give more --minutes, --rounds or --length")
    tenth = max(1, len(curve) // 10)
    first, last = (float(np.mean([c["return"] for c in part])) for part in (curve[:tenth], curve[-tenth:]))
    print(f"{o.animal}: mean return {first:+.4f} at first, {last:+.4f} at last")
    if o.out:
        Path(o.out).mkdir(parents=True, exist_ok=True)
        (Path(o.out) / "curve.json").write_text(json.dumps({"seed": o.seed, "envs": n, "curve": curve}))
    envs.close()


if __name__ == "__main__":
    main()
