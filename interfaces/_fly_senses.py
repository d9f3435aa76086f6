"""The fly's receptors: from what the body senses to the drive of named receptor cells of the central brain.

Every receptor says what it does in Hz; `drive_of` turns the wanted rate into the drive that `SpikingPart` reads back as
a rate. Numbers are in SENSES, each with its source; "memory" marks those that were not looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    "off_most": (6.0, "Hz", "of OFF_search, each event a turn; functional fit"),
    "wind_half": (0.1, "m/s", "Johnston's organ, Yorozu 2009 Nature 458:201; near the wind of Alvarez-Salvado 2018"),
    "wind_most": (130.0, "Hz", "JO-C and JO-E, Kamikouchi 2009 Nature 458:165; memory"),
    "wind_s": (0.05, "s", "antenna and receptor, assumed"),
    "sag": (0.03, "m/s", "wind that moves an antenna as gravity does, Kamikouchi 2009; assumed"),
    "touch_half": (2e-7, "N", "load on the antenna that half drives JO-C, D, E and F, assumed"),
    "touch_most": (180.0, "Hz", "all zones, Hampel 2020 eLife 9:e59976; level of F12"),
}
P = {k: v[0] for k, v in SENSES.items()}
SPONTANEOUS_HZ = {"ORN_DM1": 8.0, "ORN_VA2": 8.0, "ORN_DA2": 4.0, "ORN_V": 8.0}  # as in background.csv
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

    Pure: `encode(state, obs)` gives the new state and the drive (n,) in mV. control_s: period of a call.
    """

    table: Connectome
    control_s: float = 0.002
    groups: tuple[str, ...] = field(init=False)  # `sugar_L`; a tarsal group is a leg's: `leg_sugar_T1L`
    cells: Array = field(init=False)  # rows of the table, and the group of each
    group: Array = field(init=False)

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
        for name, value in (
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

    def encode(self, state: State, obs: Mapping[str, Array]) -> tuple[State, Array]:
        """(state, drive (n,) mV) from an observation of the body."""
        new: State = {}
        new["taste"], taste = self._taste(state["taste"], obs)
        new["odour"], smell = self._odour(state["odour"], obs)
        new["off"], lost = self._off(state["off"], obs)
        new["wind"] = self._antenna(state["wind"], obs)
        bend = new["wind"]
        load = np.asarray(obs["antenna_load_N"], float)
        touched = P["touch_most"] * load / (load + P["touch_half"])
        blown = P["wind_most"] * np.abs(bend) / (np.abs(bend) + P["wind_half"])
        rates = []
        for j in (0, 1):  # in the order of TYPES
            feet = slice(j, 6, 2)
            rates += [*taste[:, 6 + j], *taste[0, feet], *taste[1, feet]]
            rates += [max(touched[j], blown[j] * (bend[j] < 0)), touched[j], max(touched[j], blown[j] * (bend[j] > 0))]
            rates += [touched[j], *smell[:, j], lost]
        drive = np.zeros(len(self.table), np.float32)
        drive[self.cells] = drive_of(np.array(rates))[self.group]
        return new, drive

    def rates_Hz(self, drive_mV: Array) -> dict[str, float]:
        """What `encode` asks of each group: for reading and tests."""
        rate = rate_of(drive_mV)
        return {
            name: float(rate[self.cells[self.group == k][0]])
            for k, name in enumerate(self.groups)
            if (self.group == k).any()
        }

    def _taste(self, used: Array, obs: Mapping[str, Array]) -> tuple[Array, Array]:
        """(adapted part, rates (3, 8) of sugar, bitter and water cells at six tarsi and two labella)."""
        sugar, bitter = (np.asarray(obs[f"{w}_mol_per_m3"], float) for w in ("sugar", "bitter"))
        bound = bitter / (bitter + P["bitter_half"])
        sweet = P["sugar_most"] * sugar / (sugar + P["sugar_half"]) * (1 - P["bitter_blocks"] * bound)
        wet = P["water_most"] * np.asarray(obs["water"], float) * P["water_half"] / (P["water_half"] + sugar)
        full = np.stack([sweet, P["bitter_most"] * bound, wet])
        used = used + (P["taste_fades"] * full - used) * -np.expm1(-self.control_s / P["taste_fade_s"])
        return used, np.maximum(full - used, 0)

    def _odour(self, used: Array, obs: Mapping[str, Array]) -> tuple[Array, Array]:
        """(background, rates (4, 2) above the spontaneous ones): Hill with Weber adaptation; below them after an odour.

        Odours at the palps move none of these cells: the four receptors are antennal.
        """
        vinegar, geosmin = (np.asarray(obs[w], float)[:2] for w in ("vinegar", "geosmin"))
        air = np.stack([vinegar, vinegar, geosmin, np.asarray(obs["co2"], float)])
        half = np.array([P["vinegar_half_DM1"], P["vinegar_half_VA2"], P["geosmin_half"], P["co2_half"]])[:, None]
        up = air / (air + half + P["odour_fades"] * used)
        after = np.maximum(used - air, 0) / (used + half)
        rest = np.array(list(SPONTANEOUS_HZ.values()))[:, None]
        rate = (P["odour_most"] - rest) * up - rest * after
        return used + (air - used) * -np.expm1(-self.control_s / P["odour_fade_s"]), rate

    def _off(self, used: Array, obs: Mapping[str, Array]) -> tuple[Array, float]:
        """(seen over the last seconds, rate): Alvarez-Salvado 2018, the OFF response is what is missing from it.

        used: slow and quick mean of the attractive odour after its Hill curve, 0 to 1.
        """
        both = float(np.mean(np.asarray(obs["vinegar"], float)[:2]))
        here = both / (both + P["vinegar_half_DM1"])
        speed = -np.expm1(-self.control_s / np.array([P["off_s"], 0.1]))
        used = used + (here - used) * speed
        return used, P["off_most"] * max(used[0] - used[1], 0.0)

    def _antenna(self, used: Array, obs: Mapping[str, Array]) -> Array:
        """Deflection (2,) of the antennae in m/s of wind along their axes.

        Each is pushed most by wind from 45 degrees to its own side, and pulled by that from behind (Suver 2019 Neuron
        102:828). Gravity counts as a little wind.
        """
        wind = np.asarray(obs["wind_m_per_s"], float)
        down = np.asarray(obs["gravity"], float)
        left = np.array([1.0, -1.0])  # sign of y at antenna L, R
        air = wind[:, :2] + P["sag"] * down[:2]
        bend = -(air[:, 0] + left * air[:, 1]) / np.sqrt(2)
        return np.asarray(used + (bend - used) * -np.expm1(-self.control_s / P["wind_s"]))
