"""Published rates of the whole-brain model that the offline circuits are fitted to, and how far they are from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bestiary.brains._spiking_part import SpikingPart, drive_of
from bestiary.brains.connectome import Connectome

_GRN = "type=sugar & side=L"
_JO = {
    "JO_C": "type=JO_C & side=L",
    "JO_E": "type=JO_E & side=L",
    "JO_F": "type=JO_F & side=L",
    "JO_D": "type=JO_D & side=L",
}
_LEVELS = (10, 30, 40, 50, 60, 70, 80, 90, 100, 120, 150, 180, 200)

# experiment -> {cells: Hz}. The receptors driven are those on the left (Codex), as in the publication.
EXPERIMENTS: dict[str, dict[str, float]] = {f"sugar {f}": {_GRN: float(f)} for f in _LEVELS}
EXPERIMENTS |= {f"JO {f}": dict.fromkeys(_JO.values(), float(f)) for f in (60, 100, 140, 220)}
EXPERIMENTS |= {
    "JO-CE 150": {_JO["JO_C"]: 150.0, _JO["JO_E"]: 150.0},
    "JO-F 150": {_JO["JO_F"]: 150.0},
    # the rates of the second receptors are not stated in what we have: 100 Hz is assumed
    "sugar+bitter": {_GRN: 63.0, "type=bitter & side=L": 100.0},
    "sugar+Ir94e": {_GRN: 63.0, "type=Ir94e & side=L": 100.0},
    "water": {"type=water & side=L": 100.0},
}

# (experiment, cell) -> Hz. MN9 contralateral: Shiu 2024 Nature 634:210, Supplementary Table 1A; with bitter and Ir94e:
# Table 4; aBN1, aDN1, aDN2: Tables 7A and 8. The others at 100 and 200 Hz: mean of 30 published Brian2 trials.
TARGETS: dict[tuple[str, str], float] = {}
for _f, _hz in zip(_LEVELS, (0, 0.3, 4.8, 19.4, 36.4, 50.0, 58.1, 62.1, 65.7, 75.0, 83.7, 89.2, 93.2), strict=True):
    TARGETS[f"sugar {_f}", "MN9_R"] = _hz
_AT: Mapping[str, tuple[float, float]] = {
    "G2N_1_L": (69.9, 115.7),
    "Clavicle_L": (55.2, 99.7),
    "FMIn_L": (62.1, 94.9),
    "Rattle_L": (74.9, 114.9),
    "Zorro_L": (101.7, 146.5),
    "Usnea_L": (72.5, 110.0),
    "Usnea_R": (41.5, 75.7),
    "Phantom_L": (57.9, 92.9),
    "Fudog_L": (0.4, 28.6),
    "Roundup_L": (45.7, 76.9),
    "Roundup_R": (42.0, 69.0),
    "Fdg_L": (37.6, 54.6),
    "Fdg_R": (13.3, 16.8),
    "Bract_L": (5.0, 12.9),
    "Foxglove_L": (42.0, 66.6),
    "Foxglove_R": (21.5, 36.6),
    "Bluebell_L": (8.0, 18.4),
    "Bluebell_R": (0.3, 0.7),
    "MN9_L": (48.6, 61.8),
    "MN8_L": (68.1, 91.2),
    "MN6_R": (31.6, 39.7),
    "MN11_L": (86.9, 128.6),
}
for _name, _pair in _AT.items():
    for _f, _hz in zip((100, 200), _pair, strict=True):
        TARGETS[f"sugar {_f}", _name] = _hz
TARGETS |= {
    ("JO 60", "aBN1_L"): 12.1,
    ("JO 100", "aBN1_L"): 24.3,
    ("JO 140", "aBN1_L"): 45.3,
    ("JO 220", "aBN1_L"): 78.2,
    ("JO-CE 150", "aBN1_L"): 50.8,
    ("JO-F 150", "aBN1_L"): 1.2,
    ("JO 140", "DNg62_R"): 16.7,
    ("JO 220", "DNg62_R"): 38.4,
    ("JO 140", "DNge078_R"): 17.1,
    ("sugar+bitter", "MN9_R"): 1.3,
    ("sugar+Ir94e", "MN9_R"): 1.1,
    ("water", "MN9_R"): 40.4,
}


def residuals(table: Connectome, trials: int = 3, seed: int = 100) -> list[dict[str, Any]]:
    """experiment, cell, published_Hz, model_Hz for every target, on `table` under the published equations."""
    part = SpikingPart(table, control_s=0.02, poisson=np.flatnonzero(table.kinds == "sensory"))
    row = {str(n): i for i, n in enumerate(table.names)}
    rates = {}
    for name, driven in EXPERIMENTS.items():
        drive = np.zeros(len(table), np.float32)
        for cells, rate in driven.items():
            drive[table.select(cells)] = drive_of(rate)
        rates[name] = np.mean([part.run(1.0, drive, seed=seed + k) for k in range(trials)], 0)
    return [
        {"experiment": e, "cell": n, "published_Hz": hz, "model_Hz": float(rates[e][row[n]])}
        for (e, n), hz in TARGETS.items()
    ]
