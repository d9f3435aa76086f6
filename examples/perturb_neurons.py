"""A closed-loop experiment as a Gymnasium environment: actions are currents into named neurons of the animal.

    python examples/perturb_neurons.py --seconds 10 --shift_mV -5

The animal moves its own body; here a simple feedback rule holds AVA away from its usual voltage in the second half of
the run. Any agent that speaks Gymnasium can stand in for that rule.
"""

import argparse

import gymnasium
import numpy as np

import bestiary
from bestiary.envs import PerturbBrain


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shift_mV", type=float, default=-3.0, help="where AVA is held, from its mean before that")
    options = parser.parse_args()

    body = gymnasium.make("bestiary/WormCrawl-v0", task_options={"seconds": options.seconds})
    env = PerturbBrain(body, bestiary.animal("worm"), ["AVA", "AVBL"], limit_pA=100.0)  # a class, and one neuron
    print(f"action: pA into {', '.join(env.neurons)}; {env.action_space}")

    env.reset(seed=options.seed)
    current = np.zeros(2, np.float32)
    half, over = options.seconds / 2, False
    free, held = [], []
    while not over:
        _, _, terminated, truncated, info = env.step(current)
        if info["time_s"] <= half:
            free.append(info["voltage_mV"][0])
        else:  # integral control, 2 pA per mV and step, into AVA alone
            held.append(info["voltage_mV"][0])
            error = np.mean(free) + options.shift_mV - held[-1]
            current[0] = np.clip(current[0] + 2 * error, -env.limit, env.limit)
        over = terminated or truncated
    env.close()

    print(f"AVA free {np.mean(free):7.2f} mV, wanted {np.mean(free) + options.shift_mV:7.2f} mV")
    print(f"AVA held {np.mean(held[len(held) // 2 :]):7.2f} mV with {current[0]:.1f} pA at the end")


if __name__ == "__main__":
    main()
