"""Stable-Baselines3 on a body, as it comes: PPO with a Dict observation.

    pip install "bestiary[rl]"
    python examples/rl_sb3.py --steps 40000

Trains on single environments in one process and prints the mean return of 10 episodes before and after, in body
lengths gone forward. The worm's 95 muscles are moved by 12 bends along its body, each decision held for 5 control
periods; `--animal fly` has all 78 motors, and needs far more steps than a coffee break has.
"""

import argparse

import gymnasium
import numpy as np

import bestiary  # makes the ids known

BODIES = {
    "worm": ("bestiary/WormCrawl-v0", {}, 5, 4.0),
    "fly": ("bestiary/FlyWalk-v0", {"body_options": {"eyes": False}}, 10, 0.4),
}


class Held(gymnasium.Wrapper):
    """Keeps each action for some control periods; the worm's is a dorsoventral bend at 12 places along the body."""

    def __init__(self, env, periods):
        super().__init__(env)
        self.periods, self.mix = periods, None
        body = env.unwrapped.body
        if hasattr(body, "muscle_fraction"):
            side = np.array([1.0 if m[1] == "D" else -1.0 for m in body.motors])
            at = body.muscle_fraction * 12 - 0.5
            self.mix = (side * np.clip(1 - np.abs(at - np.arange(12)[:, None]), 0, None)).astype(np.float32)
            self.action_space = gymnasium.spaces.Box(-1, 1, (12,), np.float32)

    def step(self, action):
        total = 0.0
        action = action if self.mix is None else action @ self.mix
        for _ in range(self.periods):
            obs, reward, ended, cut, info = self.env.step(action)
            total += reward
            if ended or cut:
                break
        return obs, total, ended, cut, info


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--animal", choices=BODIES, default="worm")
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

    identity, more, periods, seconds = BODIES[options.animal]
    about = {"bad_action": "clip", "task_options": {"seconds": seconds}, **more}
    envs = make_vec_env(
        lambda: Held(gymnasium.make(identity, disable_env_checker=True, **about), periods), options.envs, options.seed
    )
    keys = [name for name, space in envs.observation_space.items() if np.ptp([space.low.min(), space.high.max()]) < 20]
    envs = VecNormalize(envs, norm_obs_keys=keys, clip_obs=10.0)  # what is within small bounds; rewards too
    model = PPO("MultiInputPolicy", envs, n_steps=256, batch_size=512, seed=options.seed, device="cpu", verbose=0)

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
    print(f"{options.animal}: mean return {before:+.4f} before, {mean_return():+.4f} after {options.steps} decisions")
    print(f"bestiary {bestiary.__version__}")


if __name__ == "__main__":
    main()
