"""The fly in closed loop: what its senses make it do, and what is gone with a neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bestiary
from bestiary._commands.run import _foot, basis
from bestiary.assets import rows
from bestiary.envs import EmbodiedEnv
from bestiary.errors import UnknownNeuronError

BLIND = ("visual", "compass", "mushroom-body", "background")


def run(task: str, seconds: float, options: dict[str, Any], seed: int = 0, **animal: Any) -> dict[str, np.ndarray]:
    """Info and pose of every control step of a fly without eyes, compass, mushroom body and background."""
    fly = bestiary.animal("fly", connectome="circuits", without=BLIND, **animal)
    env = EmbodiedEnv("fly", task, clock=fly.clock, task_options=options, body_options={"eyes": False})
    obs, info = env.reset(seed=seed)
    fly.reset(info["episode_seed"])
    rows: list[dict[str, Any]] = []
    for _ in range(round(seconds / fly.clock.control_s)):
        obs, _, over, _, info = env.step(fly.act(obs))
        rows.append({**info, **env.pose()})
        if over:
            break
    env.close()
    return {k: np.array([r[k] for r in rows]) for k in ("proboscis", "height_m", "com_m", "heading_rad")} | {
        "dust": np.array([r.get("dust_antenna", 0.0) for r in rows])
    }


ON_SUGAR = {"distance_L": 0.0, "bitter_mol_per_m3": 0.0, "seconds": 2.0}


def test_sugar_under_the_feet_brings_the_proboscis_out_through_mn9() -> None:
    assert run("feed", 0.4, ON_SUGAR)["proboscis"].max() > 0.5
    assert run("feed", 0.4, ON_SUGAR, silence=["MN9"])["proboscis"].max() < 0.3
    assert run("feed", 0.4, {**ON_SUGAR, "sugar_mol_per_m3": 0.0})["proboscis"].max() < 0.1


def test_bitter_keeps_it_in() -> None:
    assert run("feed", 0.4, {**ON_SUGAR, "bitter_mol_per_m3": 10.0})["proboscis"].max() < 0.3


def test_dust_on_the_antennae_is_swept_off_through_adn() -> None:
    assert run("groom", 0.6, {})["dust"][-1] < 0.75
    assert run("groom", 0.6, {}, silence=["DNg62", "DNge078"])["dust"][-1] > 0.95


@pytest.mark.parametrize("side", ["L", "R"])
def test_dna02_turns_to_its_side(side: str) -> None:
    light = ["DNp09:light=0.22", f"DNa02_{side}:light=0.5"]
    heading = np.unwrap(run("locomotion", 0.6, {}, stimulate=light)["heading_rad"])
    assert (heading[-1] - heading[100]) * {"L": 1, "R": -1}[side] > 0.3


def test_mdn_walks_backward() -> None:
    found = run("locomotion", 0.6, {}, stimulate=["MDN:light=0.5"])
    ahead = np.array([np.cos(found["heading_rad"][100]), np.sin(found["heading_rad"][100])])
    assert (found["com_m"][-1] - found["com_m"][100])[:2] @ ahead < -1e-3


def test_the_giant_fibre_makes_it_jump() -> None:
    still = run("locomotion", 0.15, {})["height_m"]
    assert run("locomotion", 0.15, {}, stimulate=["DNp01:light=2@0.05-0.07"])["height_m"].max() > still.max() + 0.3e-3


def test_what_is_not_there_is_told() -> None:
    fly = bestiary.animal("fly", connectome="circuits", without=["visual", "compass"])
    assert fly.about["parts"][0] == "central" and fly.about["missing"]["visual"] == "taken out"
    with pytest.raises(UnknownNeuronError, match="DNa02"):
        bestiary.animal("fly", connectome="circuits", lesion=["DNa2"], without=BLIND)
    with pytest.raises(LookupError, match="flywire783"):
        bestiary.animal("fly", connectome="flywire78", without=BLIND)


def test_eyes_are_asked_for_only_where_something_sees() -> None:
    fly = bestiary.animal("fly", connectome="circuits", without=BLIND)
    assert "luminance" not in [s.name for s in fly.senses]


LARGE_ONLY = ("DNg12",)  # commands of the cord that FlyWire has and the circuits that ship do not


def test_no_row_of_the_links_is_lost_to_a_misspelt_name() -> None:
    """Links leave out rows whose source a small brain lacks: a wrong name would go the same way, in silence."""
    parts = bestiary.animal("fly", connectome="circuits").brain.parts
    ends = [(r["from"], r["source"]) for r in rows("fly", "links.csv")]
    ends += [("central", r["source"]) for r in rows("fly", "descending.csv")]
    for part, query in ends:
        if part in parts and not query.startswith(LARGE_ONLY):
            assert len(parts[part].table.select(query)), (part, query)


def test_a_run_says_what_its_brain_rests_on() -> None:
    rows = basis(bestiary.animal("fly", connectome="circuits", without=BLIND))
    by = {r["part"]: r for r in rows}
    assert by["central"]["edges"] == ["functional_fit", "EM_mirrored"] and by["central"]["neurons"] > 700
    assert by["cord"]["edges"] == ["tuned"]
    assert by["compass"]["about"] == "not there: taken out"
    assert _foot(rows) == "functional_fit: central · tuned: cord"
    assert _foot([{"part": str(i), "edges": ["EM_cell"]} for i in range(5)]) == "EM_cell: 5 parts"
