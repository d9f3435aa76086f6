"""Your own controller in the worm's body: no brain, only observations and 95 muscles.

    python examples/own_policy.py --seconds 10 --medium water

A policy is anything with reset(episode_seed) and act(obs), so it runs wherever an animal does. For a learner that
wants one vector, wrap the environment: gymnasium.wrappers.FlattenObservation(env).
"""

import argparse

import gymnasium
import numpy as np


class Sine:
    """A wave of muscle activation from head to tail: frequency in Hz, wavelength in body lengths."""

    def __init__(self, env, frequency_Hz=0.5, wavelength_L=0.65, amplitude=0.6):
        worm = env.unwrapped
        self.side = np.array([amplitude if name[1] == "D" else -amplitude for name in worm.body.motors])  # MDL01 ...
        self.phase = 2 * np.pi * worm.body.muscle_fraction / wavelength_L
        self.turn = 2 * np.pi * frequency_Hz * worm.clock.control_s

    def reset(self, episode_seed):
        self.step = 0

    def act(self, obs):
        self.step += 1
        return (self.side * np.sin(self.turn * self.step - self.phase)).astype(np.float32)


class Random:
    """White noise on every muscle, the baseline of every learner."""

    def __init__(self, env):
        self.shape = env.action_space.shape

    def reset(self, episode_seed):
        self.rng = np.random.default_rng(episode_seed)

    def act(self, obs):
        return self.rng.uniform(-1, 1, self.shape).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--medium", default="agar", help="agar or water, or a viscosity in Pa s")
    options = parser.parse_args()
    medium = float(options.medium) if options.medium[0].isdigit() else options.medium

    # with "bestiary:" before the id, Gymnasium imports bestiary by itself
    env = gymnasium.make("bestiary:bestiary/WormCrawl-v0", medium=medium, task_options={"seconds": options.seconds})
    for name, space in env.observation_space.items():
        print(f"{name:24} {space.shape!s:9} {space.low.min():g} to {space.high.max():g}")
    for policy in (Sine(env), Random(env)):
        obs, info = env.reset(seed=options.seed)
        policy.reset(info["episode_seed"])
        total, over = 0.0, False
        while not over:
            obs, reward, terminated, truncated, info = env.step(policy.act(obs))
            total += reward
            over = terminated or truncated
        print(f"{type(policy).__name__}: return {total:.4f} body lengths, {1e3 * info['distance_m']:.3f} mm away")
    env.close()


if __name__ == "__main__":
    main()
