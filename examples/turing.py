"""Your own brain and your own recording through level D of the Turing test: is it one of the animals?

    python examples/turing.py --recording tracks.csv --seconds 30 --out runs/mine

A recording: CSV, HDF5 or NWB with the centre of each animal, here columns time_s, animal, x_m, y_m.
"""

import argparse

import numpy as np

from bestiary.bodies.worm import Worm
from bestiary.errors import BestiaryError
from bestiary.tasks.turing.own import against


class Wave:  # the brain: anything with reset and act; this one bends the body in a wave, and does nothing else
    def reset(self, episode_seed):
        body, self.step = Worm(), 0
        self.side = np.array([0.6 if name[1] == "D" else -0.6 for name in body.motors])
        self.phase = 2 * np.pi * body.muscle_fraction / 0.65

    def act(self, obs):
        self.step += 1
        return (self.side * np.sin(0.03 * self.step - self.phase)).astype(np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recording", required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--out", default="runs/mine")
    given = parser.parse_args()
    try:
        for r in against(given.recording, "worm", Wave(), medium="agar", seconds=given.seconds, out=given.out):
            print(f"{r.test.id:16} {r.verdict:13} {r.outcome.value if r.outcome else float('nan'):6.2f}  {r.reason}")
    except BestiaryError as error:
        parser.exit(2, f"{error}\n")
