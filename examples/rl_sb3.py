"""Stable-Baselines3 on a body, as it comes: PPO with a Dict observation, on any id of Bestiary.

    pip install "bestiary[rl]"
    python examples/rl_sb3.py --steps 40000
    python examples/rl_sb3.py --env bestiary/FlyWalk-v0 --steps 2048

Trains on single environments in one process and prints the mean return of 10 episodes before and after; for these two
ids that is body lengths gone forward. The worm's 95 muscles are moved by 12 bends along its body, the fly's legs by
three knobs of a scripted tripod walk (stride of the left and of the right legs, and of all), which stands still while
they are at rest; other bodies get all their motors, and need far more steps than a coffee break has.
"""

import argparse

import gymnasium
import numpy as np

import bestiary  # makes the ids known
from bestiary.interfaces._fly_tripod import tripod

# id: options, control periods a decision is held, seconds of an episode, decisions of each environment a round
KNOWN = {
    "bestiary/WormCrawl-v0": ({}, 5, 4.0, 256),
    "bestiary/FlyWalk-v0": ({"body_options": {"eyes": False}}, 25, 1.0, 32),
}


class Bends:
    """12 numbers bend the worm dorsoventrally at as many places."""

    def __init__(self, body):
        side = np.array([1.0 if m[1] == "D" else -1.0 for m in body.motors])
        at = body.muscle_fraction * 12 - 0.5
        self.mix = (side * np.clip(1 - np.abs(at - np.arange(12)[:, None]), 0, None)).astype(np.float32)
        self.size = 12

    def __call__(self, action, k):
        return action @ self.mix


class Knobs:
    """3 numbers, of which what is above 0 counts, let the fly's tripod stride; period k of the episode says where."""

    def __init__(self, body):
        self.cycle, self.neutral, self.size = tripod(body), body.neutral, 3
        self.left = np.array(["left" in m for m in body.motors])
        self.sticky = np.array([m.startswith("adhere") for m in body.motors])

    def __call__(self, action, k):
        left, right, both = np.clip(action, 0, 1)
        share = np.where(self.left, left, right) * (0.5 + 0.5 * both)
        gait = self.cycle[k % len(self.cycle)]
        moved = self.neutral + share * (gait - self.neutral)
        return np.where(self.sticky & (share > 0.05), gait, moved)


class Held(gymnasium.Wrapper):
    """Keeps each decision for some control periods; worms and flies are moved by a few numbers."""

    def __init__(self, env, periods):
        super().__init__(env)
        body, self.periods, self.k = env.unwrapped.body, periods, 0
        kind = Bends if hasattr(body, "muscle_fraction") else Knobs if "adhere" in " ".join(body.motors) else None
        self.motors = kind(body) if kind is not None else None
        if self.motors is not None:
            self.action_space = gymnasium.spaces.Box(-1, 1, (self.motors.size,), np.float32)

    def reset(self, **options):
        self.k = 0
        return self.env.reset(**options)

    def step(self, action):
        total = 0.0
        for _ in range(self.periods):
            command = action if self.motors is None else self.motors(action, self.k)
            obs, reward, ended, cut, info = self.env.step(command)
            total, self.k = total + reward, self.k + 1
            if ended or cut:
                break
        return obs, total, ended, cut, info


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="bestiary/WormCrawl-v0", help="an id of `bestiary list`")
    parser.add_argument("--steps", type=int, default=40_000, help="decisions")
    parser.add_argument("--envs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    try:
        from stable_baselines3 import PPO
        from stable_baselines3.common.env_util import make_vec_env
        from stable_baselines3.common.vec_env import VecNormalize
    except ImportError:
        raise SystemExit('this needs Stable-Baselines3: pip install "bestiary[rl]"') from None

    more, periods, seconds, each = KNOWN.get(options.env, ({}, 10, 1.0, 64))
    about = {"bad_action": "clip", "task_options": {"seconds": seconds}, **more}

    def made():
        return Held(gymnasium.make(options.env, disable_env_checker=True, **about), periods)

    envs = make_vec_env(made, options.envs, options.seed)
    keys = [name for name, space in envs.observation_space.items() if np.ptp([space.low.min(), space.high.max()]) < 20]
    envs = VecNormalize(envs, norm_obs_keys=keys, clip_obs=10.0)  # what is within small bounds; rewards too
    batch = min(512, each * options.envs)
    model = PPO("MultiInputPolicy", envs, n_steps=each, batch_size=batch, seed=options.seed, device="cpu", verbose=0)

    def mean_return(episodes=10):
        total, ended, obs = np.zeros(options.envs), [], envs.reset()
        while len(ended) < episodes:
            obs, _, done, _ = envs.step(model.predict(obs, deterministic=True)[0])
            total += envs.get_original_reward()
            ended += total[done].tolist()
            total[done] = 0
        return float(np.mean(ended))

    before = mean_return()
    model.learn(options.steps)
    print(f"{options.env}: mean return {before:+.4f} before, {mean_return():+.4f} after {options.steps} decisions")
    print(f"bestiary {bestiary.__version__}")


if __name__ == "__main__":
    main()
