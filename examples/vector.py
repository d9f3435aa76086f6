"""Several worms at once with gymnasium.make_vec: in this process ("sync") or one process each ("async").

    python examples/vector.py --seconds 5 --envs 4 --mode async

Each environment has its own animal, reset whenever its environment starts a new episode.
"""

import argparse

import gymnasium
import numpy as np

import bestiary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="of an episode; two are run in each environment")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--envs", type=int, default=2)
    parser.add_argument("--mode", choices=["sync", "async"], default="sync")
    options = parser.parse_args()

    envs = gymnasium.make_vec(
        "bestiary/WormCrawl-v0", options.envs, options.mode, task_options={"seconds": options.seconds}
    )
    animals = [bestiary.animal("worm") for _ in range(options.envs)]
    obs, info = envs.reset(seed=options.seed)
    begun, ended = np.ones(options.envs, bool), 0
    while ended < 2 * options.envs:
        for i in np.flatnonzero(begun):
            animals[i].reset(info["episode_seed"][i])
        action = np.stack([a.act({k: v[i] for k, v in obs.items()}) for i, a in enumerate(animals)])
        obs, _, terminated, truncated, info = envs.step(action)
        for i in np.flatnonzero(terminated | truncated):
            ended += 1
            print(f"environment {i}: forward {1e3 * info['forward_m'][i]:.4f} mm in {info['time_s'][i]:g} s")
        # the step after an end ignores its action and starts the next episode: only then is there a new seed
        begun = info.get("_episode_seed", np.zeros(options.envs, bool))
    envs.close()


if __name__ == "__main__":
    main()
