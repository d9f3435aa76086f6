"""Several worms at once with gymnasium.make_vec: stepped together, or one by one in this process or one process each.

    python examples/vector.py --seconds 5 --envs 4
    python examples/vector.py --seconds 5 --envs 4 --mode async

"batch" steps all bodies on `mujoco.batch`, to the bit as the others do; the brains are stepped together in every mode.
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
    parser.add_argument("--mode", choices=["batch", "sync", "async"], default="batch")
    options = parser.parse_args()

    mode = "vector_entry_point" if options.mode == "batch" else options.mode
    envs = gymnasium.make_vec("bestiary/WormCrawl-v0", options.envs, mode, task_options={"seconds": options.seconds})
    animals = bestiary.animal("worm", batch=options.envs)
    obs, info = envs.reset(seed=options.seed)
    begun, ended = np.ones(options.envs, bool), 0
    while ended < 2 * options.envs:
        if begun.any():
            animals.reset(info["episode_seed"][begun], np.flatnonzero(begun))
        obs, _, terminated, truncated, info = envs.step(animals.act(obs))
        for i in np.flatnonzero(terminated | truncated):
            ended += 1
            print(f"environment {i}: forward {1e3 * info['forward_m'][i]:.4f} mm in {info['time_s'][i]:g} s")
        # the step after an end ignores its action and starts the next episode: only then is there a new seed
        begun = info.get("_episode_seed", np.zeros(options.envs, bool))
    envs.close()


if __name__ == "__main__":
    main()
