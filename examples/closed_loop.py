"""The animal as a policy: a connectome moves a body, then the same animal is changed in six ways.

    python examples/closed_loop.py --seconds 10 --seed 1

Every run has the same seed, so the same start and the same noise: only the named change differs.
"""

import argparse

import gymnasium

import bestiary


def crawl(animal, seconds, seed):
    """Runs one episode on agar; returns its last info: forward_m, distance_m, ..."""
    env = gymnasium.make("bestiary/WormCrawl-v0", task_options={"seconds": seconds})
    obs, info = env.reset(seed=seed)
    animal.reset(info["episode_seed"])  # one seed names the whole run: world, start and neural noise
    over = False
    while not over:
        action = animal.act(obs)  # senses -> neurons -> 95 muscles, one control period
        obs, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
    env.close()
    return info


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    worm = bestiary.animal("worm", connectome="cook2019")
    animals = {
        "intact": worm,
        "lesioned (AVBL, AVBR)": bestiary.animal("worm", lesion=["AVBL", "AVBR"]),  # or by class: ["AVB"]
        "20 pA into AVA from 0.5 to 1 s": bestiary.animal("worm", stimulate=["AVA:20pA@0.5-1"]),
        "light on AVB from 0.5 s on": bestiary.animal("worm", stimulate=["AVB:light=1@0.5"]),
        "rewired by hand": bestiary.animal("worm", connectome=worm.brain.connectome.rewire(seed=1)),
        "control weight-shuffle": bestiary.animal("worm", control="weight-shuffle", control_seed=1),
        "without the component arousal": bestiary.animal("worm", without=["arousal"]),
    }
    for what, animal in animals.items():
        info = crawl(animal, options.seconds, options.seed)
        print(f"{what:32} forward {1e3 * info['forward_m']:7.4f} mm in {info['time_s']:g} s")


if __name__ == "__main__":
    main()
