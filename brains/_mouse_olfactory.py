"""The mouse's nose as populations with rates: bulb, anterior olfactory nucleus and piriform cortex of both sides.

Who excites whom is from the papers named in `EDGES`; strengths are `functional_fit`, none is measured. Receptors of one
nostril project to the bulb of their own side, so sides are those of the body here too. Inputs (20 mV is 1): OSN_L,
OSN_R. Outputs, 0 to 100 Hz: AON_L, AON_R (the side whose nostril smells more) and Pir_L, Pir_R (that there is a smell).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bestiary.brains._fish_circuits import Circuit, circuit_table, weigh
from bestiary.brains.connectome import Connectome
from bestiary.envs._clock import Clock

INPUTS, OUTPUTS = ("OSN_L", "OSN_R"), ("AON_L", "AON_R", "Pir_L", "Pir_R")
HALF_PPM = 1.0  # odour at which half of the receptors' most is reached (assumed: it differs by odour a millionfold)

EDGES = [
    *((f"OSN_{s}", f"MT_{s}", 1.6) for s in "LR"),  # mitral and tufted cells
    *((f"MT_{s}", f"Gr_{s}", 1.2) for s in "LR"),  # granule cells give back, with delay: the answer is phasic
    *((f"Gr_{s}", f"MT_{s}", -1.0) for s in "LR"),
    *((f"MT_{s}", f"Pir_{s}", 1.5) for s in "LR"),
    # Kikuta 2010 PNAS 107:12363: cells of AON are excited from their own nostril and inhibited from the other
    *((f"MT_{s}", f"AON_{s}", 4.0) for s in "LR"),
    ("MT_L", "AON_R", -4.0),
    ("MT_R", "AON_L", -4.0),
]
TAU_S = {"OSN": 0.03, "MT": 0.03, "Gr": 0.4, "AON": 0.05, "Pir": 0.05}


def olfactory_table() -> Connectome:
    """The units and their edges."""
    names = [f"{word}_{side}" for word in TAU_S for side in "LR"]
    table = circuit_table(names, EDGES, "the mouse's olfactory bulb, AON and piriform cortex after the literature")
    return replace(table, kinds=np.where(np.isin(table.names, INPUTS), "sensory", "inter"))


def olfactory(clock: Clock) -> Circuit:
    """The part `olfactory`."""
    table = olfactory_table()
    taus = np.array([TAU_S[t] for t in table.types.tolist()])
    stride = max(1, round(0.01 / clock.control_s))
    return Circuit(table, weigh, np.zeros(len(table), np.float32), clock, taus_s=taus, stride=stride)
