"""K15: a policy that learned to get along without any connectome. It may pass level D; A and C it must fail.

`bestiary fit ANIMAL learned --budget EPISODES --seed S --out FILE` learns one anew; assets/ANIMAL/learned.json ships. A
clock of learned frequency and fixed random projections of the senses drive, through learned weights, the few axes along
which the scripted rhythm of the body (K10) moves its motors. Evolution strategies with antithetic pairs and ranks
(Salimans 2017, arXiv:1703.03864), begun at that rhythm's frequency, or with all of it. Reward: speed over ground, up to
that of the animals.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import bestiary
from bestiary import assets
from bestiary.bodies._base import Array
from bestiary.envs._clock import Clock

FILE = "learned.json"
STAGE = "learned"  # its name at `bestiary fit`
AXES, EACH, _WAVES = 4, 3, 2  # of the rhythm; projections of each sense; sine and cosine at so many multiples


class Learned:
    """Has `clock`, `reset` and `act`, and no neurons. genes (n,): log of the frequency in Hz, then weights, a row an
    axis, over clock, 1, and senses."""

    def __init__(self, animal: str, genes: Array, clock: Clock | None = None) -> None:
        interface = importlib.import_module(f"bestiary.interfaces.{animal}")
        body = bestiary.load("bodies", animal).BODY()
        self.clock = clock or Clock(**interface.CLOCK)
        rhythm = interface.PATTERN(body)
        # the longest period of the four rhythms is 3.3 s: sampled over more than one, as finely as it is controlled
        moves = np.stack([rhythm(k * self.clock.control_s) for k in range(1, round(4 / self.clock.control_s))])
        self._middle = moves.mean(0)
        power = np.abs(np.fft.rfft(moves - self._middle, axis=0)[1:]).sum(1)
        self.rhythm_Hz = (1 + int(power.argmax())) / (len(moves) * self.clock.control_s)  # of the scripted rhythm
        _, size, axes = np.linalg.svd(moves - self._middle, full_matrices=False)
        self._axes = axes[:AXES] * size[:AXES, None] / np.sqrt(len(moves))
        self._scripted = (moves - self._middle) @ np.linalg.pinv(self._axes)
        self._genes = np.asarray(genes, float)
        rng = np.random.default_rng(15)
        self._senses = {
            s.name: rng.standard_normal((int(np.prod(s.shape)), EACH)) / np.sqrt(np.prod(s.shape))
            for s in body.senses
            if not s.external and np.prod(s.shape) <= 128  # no eyes
        }

    @property
    def size(self) -> int:
        """Genes that it takes."""
        return 1 + AXES * (2 * _WAVES + 1 + EACH * len(self._senses))

    def of_rhythm(self) -> Array:
        """Genes that follow the scripted rhythm as far as the clock's harmonics do, deaf to all senses."""
        time = self.clock.control_s * np.arange(1, len(self._scripted) + 1)
        turns = 2 * np.pi * self.rhythm_Hz * time
        waves = np.stack([f(k * turns) for k in range(1, _WAVES + 1) for f in (np.sin, np.cos)], 1)
        rows = np.zeros((AXES, (self.size - 1) // AXES))
        rows[:, : 2 * _WAVES] = np.linalg.lstsq(waves, self._scripted, rcond=None)[0].T
        return np.r_[np.log(self.rhythm_Hz), rows.ravel()]

    def reset(self, episode_seed: int) -> None:
        self._phase = float(np.random.default_rng(episode_seed).uniform(0, 2 * np.pi))

    def act(self, obs: Mapping[str, Array]) -> Array:
        self._phase += 2 * np.pi * float(np.exp(self._genes[0])) * self.clock.control_s
        waves = [f(k * self._phase) for k in range(1, _WAVES + 1) for f in (np.sin, np.cos)]
        seen = [np.tanh(obs[k].ravel() @ m) for k, m in self._senses.items()]
        knobs = self._genes[1:].reshape(AXES, -1) @ np.concatenate([waves, [1.0], *seen])
        return np.clip(self._middle + knobs @ self._axes, -1, 1).astype(np.float32)


def animals() -> list[str]:
    """Those for which one ships."""
    return [a for a in bestiary.animals("interfaces") if assets.find(a, FILE) is not None]


def load(animal: str) -> Learned:
    """LookupError where none ships."""
    file = assets.find(animal, FILE)
    if file is None:
        raise LookupError(f"no learned policy for {animal!r} ships; there is one for {', '.join(animals())}")
    return Learned(animal, json.loads(file.read_text(encoding="utf-8"))["genes"])


def train(
    animal: str,
    world: Mapping[str, Any],
    goal_L_per_s: float,
    generations: int = 40,
    pairs: int = 10,
    seconds: float = 4.0,
    seed: int = 0,
    from_rhythm: bool = False,
    note: Callable[[Array, list[float]], None] = lambda genes, course: None,
) -> tuple[Array, list[float]]:
    """(genes, mean reward of each generation). Reward: share of the goal that an episode's speed reaches, at most 1.
    from_rhythm: begins with the scripted rhythm and learns in small steps, for a body that falls; else with random
    weights at the rhythm's frequency. note: called after each generation with what there is."""
    from bestiary.envs import EmbodiedEnv

    policy = Learned(animal, np.zeros(1))
    env = EmbodiedEnv(animal, clock=policy.clock, bad_action="clip", **world)
    length_m, steps = bestiary.load("bodies", animal).BODY().length_m, round(seconds / policy.clock.control_s)

    def reward(genes: Array, episode: int) -> float:
        policy._genes = genes
        obs, info = env.reset(seed=episode)
        policy.reset(info["episode_seed"])
        for _ in range(steps):
            obs, _, terminated, truncated, info = env.step(policy.act(obs))
            if terminated or truncated:
                return 0.0
        return float(np.clip(info["forward_m"] / length_m / seconds / goal_L_per_s, -1, 1))

    rng = np.random.default_rng(seed)
    genes, size = 0.1 * rng.standard_normal(policy.size), 0.3
    genes[0] += np.log(policy.rhythm_Hz)
    if from_rhythm:
        genes, size = policy.of_rhythm(), 0.05
    course: list[float] = []
    for g in range(generations):
        step = rng.standard_normal((pairs, policy.size))
        found = np.array([[reward(genes + size * s * e, 1000 * seed + g) for s in (1, -1)] for e in step])
        rank = found.ravel().argsort().argsort().reshape(found.shape) / (found.size - 1) - 0.5
        genes = genes + size / 0.6 * (rank[:, 0] - rank[:, 1]) @ step / np.sqrt(pairs)
        course.append(float(found.mean()))
        note(genes, course)
    env.close()
    return genes, course


def learn(
    animal: str,
    out: Path,
    budget: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int, float], None] = lambda done, total, loss: None,
) -> dict[str, Any]:
    """Learns by `[learned]` of assets/ANIMAL/turing.toml and writes `out` after each generation. budget: episodes.
    progress: called with (episodes done, of, 1 - reward). Raises LookupError where the table says nothing."""
    from bestiary.tasks.turing.exam import write
    from bestiary.tasks.turing.sources import plan

    table = plan(animal)
    if STAGE not in table:
        raise LookupError(f"assets/{animal}/turing.toml has no [{STAGE}]: no goal to learn")
    options = table[STAGE]
    world = {k: options[k] for k in ("task", "medium", "task_options", "body_options") if k in options}
    pairs, goal = int(options["pairs"]), float(options["goal_L_per_s"])
    each = 2 * pairs
    generations = int(options["generations"]) if budget is None else max(1, budget // each)
    result: dict[str, Any] = {}

    def note(genes: Array, course: list[float]) -> None:
        about = f"K15: evolution strategies, {len(course)} generations of {each} episodes of {options['seconds']} s, "
        about += f"seed {seed}, goal {goal:g} L/s; no connectome"
        about += ", begun with the scripted rhythm" if options.get("from_rhythm") else ""
        result.update(about=about, reward=[round(r, 3) for r in course], genes=[round(float(x), 4) for x in genes])
        out.parent.mkdir(parents=True, exist_ok=True)
        write(out, json.dumps(result) + "\n")
        progress(each * len(course), each * generations, 1 - course[-1])

    train(
        animal, world, goal, generations, pairs, float(options["seconds"]), seed, bool(options.get("from_rhythm")), note
    )
    return {**result, "stage": STAGE, "loss": 1 - result["reward"][-1]}
