"""The fly's receptors: from what the body senses to the drive of named receptor cells of the central brain.

Every receptor says what it does in Hz; `drive_of` turns the wanted rate into the drive that `SpikingPart` reads back as
a rate. Numbers are in SENSES, each with its source; "memory" marks those that were not looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np

from bestiary.brains._spiking_part import drive_of, rate_of
from bestiary.brains.connectome import Connectome

Array = np.ndarray[Any, np.dtype[Any]]
State = dict[str, Array]

SENSES: dict[str, tuple[float, str, str]] = {  # name -> value, unit, source
    "sugar_most": (
        180.0,
        "Hz",
        "peak of sugar cells, Dahanukar 2007 Neuron 56:503; Hiroi 2002 J Insect Physiol; memory",
    ),
    "sugar_half": (60.0, "mol/m^3", "sucrose, half of the most between 50 and 100 mM, Dahanukar 2007; memory"),
    "bitter_most": (120.0, "Hz", "peak of bitter cells, Weiss 2011 Neuron 69:258; memory"),
    "bitter_half": (1.0, "mol/m^3", "denatonium and lobeline near 1 mM, Weiss 2011; memory"),
    "bitter_blocks": (
        0.5,
        "1",
        "share of the sugar response that bitter takes in the cell, French 2015 J Neurosci 35:3990",
    ),
    "water_most": (100.0, "Hz", "ppk28 cells in pure water, Cameron 2010 Nature 465:91; memory"),
    "water_half": (200.0, "mol/m^3", "solute that halves the water response, Cameron 2010; memory"),
    "taste_fades": (0.4, "1", "share of the taste response that adapts, Hiroi 2002; memory"),
    "taste_fade_s": (0.3, "s", "time in which it does, Hiroi 2002; memory"),
    "odour_most": (200.0, "Hz", "peak of receptor cells, Hallem & Carlson 2006 Cell 125:143"),
    "vinegar_half_DM1": (3.0, "ppm", "Or42b is the most sensitive to vinegar, Semmelhack & Wang 2009 Nature 459:218"),
    "vinegar_half_VA2": (10.0, "ppm", "Or92a, Semmelhack & Wang 2009"),
    "geosmin_half": (1.0, "ppm", "Or56a, Stensmyr 2012 Cell 151:1345; scale assumed"),
    "co2_half": (1000.0, "1", "scale assumed, Gr21a and Gr63a, Suh 2004 Nature 431:854"),
    "odour_fades": (
        1.5,
        "1",
        "background adds this many times itself to the half, Weber, Gorur-Shandilya 2017 eLife 6:e27670",
    ),
    "odour_fade_s": (0.5, "s", "Nagel & Wilson 2011 Nat Neurosci 14:208; memory"),
    "off_s": (4.8, "s", "memory of the OFF response, Alvarez-Salvado 2018 eLife 7:e37815; memory"),
    "off_quick_s": (0.1, "s", "mean of the odour of now, from which it is missing, assumed"),
    "off_most": (6.0, "Hz", "of OFF_search, each event a turn; functional fit"),
    "wind_half": (0.1, "m/s", "Johnston's organ, Yorozu 2009 Nature 458:201; near the wind of Alvarez-Salvado 2018"),
    "wind_most": (130.0, "Hz", "JO-C and JO-E, Kamikouchi 2009 Nature 458:165; memory"),
    "wind_s": (0.05, "s", "antenna and receptor, assumed"),
    "sag": (0.03, "m/s", "wind that moves an antenna as gravity does, Kamikouchi 2009; assumed"),
    "touch_half": (2e-7, "N", "load on the antenna that half drives JO-C, D, E and F, assumed"),
    "touch_most": (180.0, "Hz", "all zones, Hampel 2020 eLife 9:e59976; level of F12"),
}
P = {k: v[0] for k, v in SENSES.items()}
SUGAR_MOST, SUGAR_HALF, BITTER_MOST, BITTER_HALF = P["sugar_most"], P["sugar_half"], P["bitter_most"], P["bitter_half"]
BITTER_BLOCKS, TASTE_FADES = P["bitter_blocks"], P["taste_fades"]
WATER_MOST, WATER_HALF = P["water_most"], P["water_half"]
ODOUR_MOST, ODOUR_FADES = P["odour_most"], P["odour_fades"]
ODOUR_HALF = np.array([P["vinegar_half_DM1"], P["vinegar_half_VA2"], P["geosmin_half"], P["co2_half"]])
WIND_MOST, WIND_HALF, SAG = P["wind_most"], P["wind_half"], P["sag"]
TOUCH_MOST, TOUCH_HALF, OFF_MOST = P["touch_most"], P["touch_half"], P["off_most"]
SPONTANEOUS_HZ = {"ORN_DM1": 8.0, "ORN_VA2": 8.0, "ORN_DA2": 4.0, "ORN_V": 8.0}  # as in background.csv
ODOUR_REST = np.array(list(SPONTANEOUS_HZ.values()))
TYPES = (
    "sugar",
    "bitter",
    "water",
    "leg_sugar",
    "leg_bitter",
    "JO_C",
    "JO_D",
    "JO_E",
    "JO_F",
    *SPONTANEOUS_HZ,
    "OFF_search",
)


@dataclass(frozen=True, eq=False)
class FlySenses:
    """Receptors of the central brain `table`; cells that it does not have are left out.

    Pure: `encode(state, obs, drive)` gives the new state, and writes the drive of its cells. control_s: period of a
    call.
    """

    table: Connectome
    control_s: float = 0.002
    groups: tuple[str, ...] = field(init=False)  # `sugar_L`; a tarsal group is a leg's: `leg_sugar_T1L`
    cells: Array = field(init=False)  # rows of the table, and the group of each
    group: Array = field(init=False)
    _blend: Array = field(init=False)  # of a call: taste, odour, slow and quick mean of the attractive one, wind

    def __post_init__(self) -> None:
        types, sides = self.table.types, self.table.sides
        names: list[str] = []
        cells, group = [], []
        for side in "LR":
            for word in TYPES:
                found = np.flatnonzero((types == word) & (sides == side))
                parts = [f"T{k}{side}" for k in (1, 2, 3)] if word.startswith("leg_") else [side]
                cells.append(found)  # the tarsal cells of a side go round its legs
                group.append(len(names) + np.arange(len(found)) % len(parts))
                names += [f"{word}_{part}" for part in parts]
        tau_s = [P[k] for k in ("taste_fade_s", "odour_fade_s", "off_s", "off_quick_s", "wind_s")]
        for name, value in (
            ("_blend", -np.expm1(-self.control_s / np.array(tau_s))),
            ("groups", tuple(names)),
            ("cells", np.concatenate(cells)),
            ("group", np.concatenate(group)),
        ):
            object.__setattr__(self, name, value)

    def init(self) -> State:
        """Everything adapted to nothing."""
        return {
            "taste": np.zeros((3, 8)),  # sugar, bitter, water: the adapted part of each receptor's response
            "odour": np.zeros((4, 2)),  # DM1, VA2, DA2, V: the background that each antenna is used to
            "off": np.zeros(2),  # attractive odour of the last seconds
            "wind": np.zeros(2),
        }

    def encode(self, state: State, obs: Mapping[str, Array], drive: Array) -> State:
        """The new state; drive (n,) mV takes what an observation of the body drives."""
        new = {k: v.copy() for k, v in state.items()}
        load, air = (np.asarray(obs[k], float) for k in ("antenna_load_N", "wind_m_per_s"))
        sugar, bitter, water = (np.asarray(obs[k], float) for k in ("sugar_mol_per_m3", "bitter_mol_per_m3", "water"))
        vinegar, geosmin, co2 = (np.asarray(obs[k], float) for k in ("vinegar", "geosmin", "co2"))
        down = np.asarray(obs["gravity"], float)
        rates = _rates(
            *(new["taste"], new["odour"], new["off"], new["wind"], sugar, bitter, water, vinegar, geosmin, co2),
            *(load, air, down, self._blend),
        )
        drive[self.cells] = drive_of(rates)[self.group]
        return new

    def rates_Hz(self, drive_mV: Array) -> dict[str, float]:
        """What `encode` asks of each group: for reading and tests."""
        rate = rate_of(drive_mV)
        return {
            name: float(rate[self.cells[self.group == k][0]])
            for k, name in enumerate(self.groups)
            if (self.group == k).any()
        }


@numba.njit(cache=True)
def _rates(taste, odour, off, wind, sugar, bitter, water, vinegar, geosmin, co2, load, air, down, blend):
    """(groups,) Hz above the spontaneous rates, in the order of TYPES, left before right; the state moves on in place.

    Odour: Hill with Weber adaptation, below the spontaneous rate after an odour; those at the palps move none of these
    cells, as the four receptors are antennal. OFF: what is missing from the attractive odour of the last seconds
    (Alvarez-Salvado 2018), after its Hill curve. Wind: each antenna is pushed most by wind from 45 degrees to its own
    side, and pulled by that from behind (Suver 2019 Neuron 102:828); gravity counts as a little wind.
    """
    felt = np.empty((3, 8))  # sugar, bitter and water cells at six tarsi and two labella
    for k in range(8):
        bound = bitter[k] / (bitter[k] + BITTER_HALF)
        felt[0, k] = SUGAR_MOST * sugar[k] / (sugar[k] + SUGAR_HALF) * (1 - BITTER_BLOCKS * bound)
        felt[1, k] = BITTER_MOST * bound
        felt[2, k] = WATER_MOST * water[k] * WATER_HALF / (WATER_HALF + sugar[k])
    for q in range(3):
        for k in range(8):
            taste[q, k] += (TASTE_FADES * felt[q, k] - taste[q, k]) * blend[0]
            felt[q, k] = max(felt[q, k] - taste[q, k], 0.0)
    smell = np.empty((4, 2))
    for j in range(2):
        for q, here in enumerate((vinegar[j], vinegar[j], geosmin[j], co2[j])):
            used = odour[q, j]
            up = here / (here + ODOUR_HALF[q] + ODOUR_FADES * used)
            after = max(used - here, 0.0) / (used + ODOUR_HALF[q])
            smell[q, j] = (ODOUR_MOST - ODOUR_REST[q]) * up - ODOUR_REST[q] * after
            odour[q, j] += (here - used) * blend[1]
    both = (vinegar[0] + vinegar[1]) / 2
    there = both / (both + ODOUR_HALF[0])
    for k in range(2):
        off[k] += (there - off[k]) * blend[2 + k]
    lost = OFF_MOST * max(off[0] - off[1], 0.0)
    out = np.empty(2 * 18)
    for j in range(2):
        left = 1.0 - 2.0 * j
        bend = -(air[j, 0] + SAG * down[0] + left * (air[j, 1] + SAG * down[1])) / np.sqrt(2.0)
        wind[j] += (bend - wind[j]) * blend[4]
        touched = TOUCH_MOST * load[j] / (load[j] + TOUCH_HALF)
        blown = WIND_MOST * abs(wind[j]) / (abs(wind[j]) + WIND_HALF)
        to = out[18 * j : 18 * j + 18]
        to[:3] = felt[:, 6 + j]
        to[3:6], to[6:9] = felt[0, j:6:2], felt[1, j:6:2]
        to[9] = max(touched, blown * (wind[j] < 0))
        to[10], to[12] = touched, touched
        to[11] = max(touched, blown * (wind[j] > 0))
        to[13:17] = smell[:, j]
        to[17] = lost
    return out
