"""The closed loop: every animal that has an interface, its lesions, stimuli, controls and promises."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import bestiary
from bestiary.errors import BestiaryError, DivergenceError, UnknownNeuronError
from bestiary.interfaces._controls import CONTROLS
from bestiary.interfaces._stimulus import Stimulus, parse

IDS = {"worm": "bestiary/WormCrawl-v0"}


@pytest.fixture(params=bestiary.animals("interfaces"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rollout(animal, name: str, steps: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    env = gymnasium.make(IDS[name]).unwrapped
    obs, info = env.reset(seed=seed)
    animal.reset(info["episode_seed"])
    actions, volts = [], []
    for _ in range(steps):
        action = animal.act(obs)
        obs, *_ = env.step(action)
        actions.append(action)
        volts.append(animal.probe()["voltage_mV"])
    env.close()
    return np.array(actions), np.array(volts)


def test_same_seed_same_run_bit_for_bit(name: str) -> None:
    first = rollout(bestiary.animal(name), name)
    second = rollout(bestiary.animal(name), name)
    other = rollout(bestiary.animal(name), name, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[1], other[1])


def test_actions_are_what_the_environment_takes(name: str) -> None:
    actions, _ = rollout(bestiary.animal(name), name)
    space = gymnasium.make(IDS[name]).action_space
    assert actions.dtype == np.float32 and actions.shape[1:] == space.shape
    assert all(space.contains(a) for a in actions)


def test_act_before_reset_says_so(name: str) -> None:
    with pytest.raises(BestiaryError, match="reset"):
        bestiary.animal(name).act({})


@pytest.mark.parametrize("option", ["lesion", "silence", "stimulate"])
def test_an_unknown_neuron_gets_a_hint(name: str, option: str) -> None:
    wrong = "AVALL:5pA" if option == "stimulate" else "AVALL"
    with pytest.raises(UnknownNeuronError, match="did you mean 'AVAL'"):
        bestiary.animal(name, **{option: [wrong]})


@pytest.mark.parametrize("what,option", [("connectome", "cook2020"), ("control", "weight-shufle"), ("without", "x")])
def test_an_unknown_name_gets_a_hint(name: str, what: str, option: str) -> None:
    with pytest.raises(LookupError, match=r"did you mean|there are"):
        bestiary.animal(name, **{what: option})


def test_state_goes_back_bit_for_bit(name: str) -> None:
    animal = bestiary.animal(name, stimulate=["AVA:5pA@0.05-0.2"])
    env = gymnasium.make(IDS[name]).unwrapped
    obs, info = env.reset(seed=0)
    animal.reset(info["episode_seed"])
    for _ in range(10):
        obs, *_ = env.step(animal.act(obs))
    kept, body = animal.get_state(), env.get_state()
    runs = []
    for _ in range(2):
        obs = env.set_state(body)
        animal.set_state(kept)
        volts = []
        for _ in range(15):
            obs, *_ = env.step(animal.act(obs))
            volts.append(animal.probe()["voltage_mV"].copy())
        runs.append(np.array(volts))
    assert np.array_equal(*runs)


def test_a_lesioned_neuron_touches_nobody_and_nothing_else_changes() -> None:
    whole, cut = bestiary.animal("worm").brain, bestiary.animal("worm", lesion=["AVAL"]).brain
    row = int(whole.select("AVAL")[0])
    for table in ("synapse_nS", "gap_nS"):
        a, b = getattr(whole.net, table), getattr(cut.net, table)
        assert not b[row].any() and not b[:, row].any()
        keep = np.arange(len(a)) != row
        assert np.array_equal(a[np.ix_(keep, keep)], b[np.ix_(keep, keep)])
    assert np.array_equal(whole.net.equilibrium()["half"], cut.net.equilibrium()["half"])


def test_silence_keeps_the_inputs() -> None:
    silent = bestiary.animal("worm", silence=["AVAL"]).brain
    row = int(silent.select("AVAL")[0])
    assert silent.net.synapse_nS[row].any() and not silent.net.synapse_nS[:, row].any()


def test_current_and_light_move_the_named_neuron_only_while_they_last() -> None:
    rest = rollout(bestiary.animal("worm"), "worm")[1]
    row = int(bestiary.animal("worm").index("AIYL")[0])
    for text in ("AIYL:50pA@0.1-0.2", "AIYL:light=1@0.1-0.2"):
        moved = rollout(bestiary.animal("worm", stimulate=[text]), "worm")[1]
        assert np.array_equal(moved[:10], rest[:10])
        assert moved[15, row] > rest[15, row] + 2
    dark = rollout(bestiary.animal("worm", stimulate=["AIYL:light=-1"]), "worm")[1]
    assert dark[15, row] < rest[15, row] - 2


@pytest.mark.parametrize("control", ["intact", *CONTROLS])
def test_every_control_runs_and_differs(control: str) -> None:
    actions, _ = rollout(bestiary.animal("worm", control=control, control_seed=1), "worm", 40)
    intact, _ = rollout(bestiary.animal("worm"), "worm", 40)
    assert np.array_equal(actions, intact) == (control == "intact")
    assert np.isfinite(actions).all()


def test_a_brain_that_is_no_longer_finite_is_named() -> None:
    animal = bestiary.animal("worm")
    animal.reset(0)
    animal.inject(animal.index("AVAL"), np.nan)
    env = gymnasium.make(IDS["worm"])
    obs, _ = env.reset(seed=0)
    with pytest.raises(DivergenceError, match=r"no longer finite at \d"):
        for _ in range(5):
            animal.act(obs)


def test_halving_the_brain_step_keeps_the_voltages() -> None:
    runs = []
    for brain in ("0.002", "0.001"):
        clock = {"control": "0.01", "brain": brain, "physics": "0.005"}
        runs.append(rollout(bestiary.animal("worm", clock=clock, parameters={"noise_mV": 1e-6}), "worm", 50)[1])
    assert np.abs(runs[0] - runs[1]).mean() < 0.5  # mV, where the voltages range over tens


def test_stimuli_are_read_and_checked() -> None:
    assert parse("AVA,AVB:20pA@5-8") == Stimulus(("AVA", "AVB"), 20.0, "current", 5.0, 8.0)
    assert parse("AVB:light=-0.5@2") == Stimulus(("AVB",), -0.5, "light", 2.0)
    for bad in ("AVA", "AVA:20", "AVA:light=3", "AVA:20pA@8-5", "AVA:xpA"):
        with pytest.raises(BestiaryError):
            parse(bad)
