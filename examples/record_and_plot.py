"""Record a run to HDF5, read it back by name, and draw the figures.

    python examples/record_and_plot.py --seconds 20 --out runs/example

The file is written while the run goes on: one that was killed can be opened, and misses at most its last two seconds.
"""

import argparse
from pathlib import Path

import gymnasium

import bestiary
from bestiary.envs.recording import Recorder, open_recording
from bestiary.tasks._plots import figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/example"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "recording.h5"

    env = gymnasium.make("bestiary/WormTouch-v0", task_options={"seconds": options.seconds, "first_s": 1.0})
    animal = bestiary.animal("worm")
    obs, info = env.reset(seed=options.seed)
    animal.reset(info["episode_seed"])
    with Recorder(path, env, animal, metadata={"seed": options.seed}) as recorder:
        over = False
        while not over:
            action = animal.act(obs)
            obs, reward, terminated, truncated, info = env.step(action)
            recorder.add(action, obs, reward, info)
            over = terminated or truncated
    env.close()

    with open_recording(path) as recording:
        print(f"{recording.rows} rows, complete: {recording.complete}, seed {recording.metadata['episode_seed']}")
        for name in recording:
            series = recording[name]
            print(f"  {name:24} {series.shape!s:14} {series.unit}")
        voltage = recording["brain/voltage_mV"]
        row = voltage.names.index("AVAL")
        print(f"AVAL, mean: {voltage[:, row].mean():.2f} mV")
    for figure in figures(path):
        print(figure)


if __name__ == "__main__":
    main()
