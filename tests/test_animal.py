"""The closed loop: every animal that has an interface, its lesions, stimuli, controls and promises."""

from __future__ import annotations

import inspect
import json
import warnings
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import bestiary
from bestiary.brains.connectome import Connectome, load_connectome
from bestiary.envs import Clock, EmbodiedEnv
from bestiary.envs.perturb import PerturbBrain
from bestiary.errors import (
    ActionError,
    BestiaryError,
    ConnectomeError,
    DivergenceError,
    EpisodeError,
    ObservationError,
    UnknownNeuronError,
)
from bestiary.interfaces._base import _leaves
from bestiary.interfaces._controls import CONTROLS, Rewiring
from bestiary.interfaces._stimulus import Stimulus, parse

WORM = [c for c in CONTROLS if c != "cord-alone"]  # it has no cord apart from its brain


@pytest.fixture(params=bestiary.animals("interfaces"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rollout(animal, name: str, steps: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    env = EmbodiedEnv(name, "locomotion", clock=animal.clock)
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
    space = EmbodiedEnv(name, "locomotion").action_space
    assert actions.dtype == np.float32 and actions.shape[1:] == space.shape
    assert all(space.contains(a) for a in actions)


def test_act_before_reset_says_so(name: str) -> None:
    with pytest.raises(BestiaryError, match="reset"):
        bestiary.animal(name).act({})


def test_an_animal_offers_what_the_readme_asks_for(name: str) -> None:
    interface, brain, body = (bestiary.load(folder, name) for folder in ("interfaces", "brains", "bodies"))
    clock = Clock(**interface.CLOCK)
    assert all(isinstance(k, str) and about for k, about in interface.COMPONENTS.items())
    wave = np.array([interface.PATTERN(body.BODY())(0.01 * k) for k in range(200)])
    assert wave.shape == (200, len(body.BODY().motors)) and 0 < np.abs(wave).max() <= 1 and np.ptp(wave, axis=0).any()
    table = brain.parameter_table()
    for parameter, row in table.items():
        assert {"value", "unit", "about", "source", "fitted_to", "low", "high"} <= set(row), parameter
        assert row["low"] is None or row["low"] < row["high"], parameter
        assert row["about"] and (row["source"] or row["fitted_to"]), parameter
    values = brain.parameters()
    assert values == {k: row["value"] for k, row in table.items()}
    first = next(iter(values))
    assert brain.parameters({first: 2 * values[first]})[first] == 2 * values[first]
    asked = ("body", "connectome", "parameters", "rewire", "lesion", "silence", "without", "clock", "backend")
    assert tuple(inspect.signature(interface.assemble).parameters) == asked
    made, _, about = interface.assemble(body.BODY(), None, None, lambda c: c, (), (), (), clock)
    assert isinstance(made, brain.BRAIN) and {"parameters", "connectome"} <= set(about)
    for without in interface.COMPONENTS:
        bestiary.animal(name, without=[without])


def test_an_animal_says_what_it_is(name: str) -> None:
    neuron = bestiary.animal(name).names[0]
    text = repr(bestiary.animal(name, lesion=[neuron], control="brain-off"))
    assert name in text and neuron in text and "brain-off" in text and len(text) < 300


def test_a_bad_observation_is_named_and_changes_nothing(name: str) -> None:
    animal = bestiary.animal(name)
    obs = {s.name: np.full(s.shape, s.rest, np.float32) for s in animal.senses}
    animal.reset(0)
    animal.act(obs)
    kept = animal.get_state()
    for sense in animal.senses:
        lost = {k: v for k, v in obs.items() if k != sense.name}
        unknown = obs | {sense.name: np.full(sense.shape, np.nan)}
        short = obs | {sense.name: np.zeros(7)}
        for bad, words in ((lost, "lacks"), (unknown, "finite"), (short, "shape")):
            with pytest.raises(ObservationError, match=f"{sense.name}.*{words}|{words}.*{sense.name}"):
                animal.act(bad)
    with pytest.raises(ObservationError, match="mapping"):
        animal.act([1.0])
    now = animal.get_state()
    for part in ("brain", "skin"):
        pairs = zip(_leaves(kept[part]), _leaves(now[part]), strict=True)
        assert all(a == b and np.array_equal(x, y, equal_nan=True) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, True])
def test_a_bad_seed_is_named(name: str, seed: object) -> None:
    with pytest.raises(BestiaryError, match="episode_seed is an integer of 0 or more"):
        bestiary.animal(name).reset(seed)
    for control in (None, "intact", "weight-shuffle"):
        with pytest.raises(BestiaryError, match="control_seed is an integer of 0 or more"):
            bestiary.animal(name, control=control, control_seed=seed)


def test_a_connectome_of_another_type_is_refused(name: str) -> None:
    with pytest.raises(ConnectomeError, match="got ndarray"):
        bestiary.animal(name, connectome=np.zeros((3, 3)))


def test_what_can_be_probed_is_what_the_control_gave() -> None:
    animal = bestiary.animal("worm", control="poisson", lesion=["DB1"], silence=["VB2"])
    actions, _ = rollout(animal, "worm", 5)
    reading = animal.probe()
    gone = animal.index(["DB1", "VB2"])
    moved = reading["release"] != reading["release_rest"]
    assert not moved[gone].any() and moved.sum() > 250
    assert np.array_equal(animal.interface.decode(reading).astype(np.float32), actions[-1])
    heard = {c: bestiary.animal("worm", control=c).about["brain_heard"] for c in ["intact", *WORM]}
    assert [c for c in heard if not heard[c]] == ["brain-off", "poisson", "pattern-generator"]


def test_a_worm_without_a_cord_is_told() -> None:
    with pytest.raises(BestiaryError, match="brain-off"):
        bestiary.animal("worm", control="cord-alone")


def test_the_pattern_generator_keeps_its_rhythm_at_any_clock() -> None:
    obs = {s.name: np.full(s.shape, s.rest) for s in bestiary.load("bodies", "worm").BODY().senses}
    waves = []
    for clock, every in (("0.01", 2), ("0.02", 1)):
        animal = bestiary.animal(
            "worm", control="pattern-generator", clock={"control": clock, "brain": "0.002", "physics": "0.005"}
        )
        animal.reset(0)
        waves.append(np.array([animal.act(obs) for _ in range(20 * every)])[every - 1 :: every])
    assert waves[0].std() > 0.1 and waves[0] == pytest.approx(waves[1], abs=1e-6)


@pytest.mark.parametrize("option", ["lesion", "silence", "stimulate"])
def test_an_unknown_neuron_gets_a_hint(name: str, option: str) -> None:
    wrong = bestiary.animal(name).names[0] + "0"
    with pytest.raises(UnknownNeuronError, match="did you mean"):
        bestiary.animal(name, **{option: [f"{wrong}:5pA" if option == "stimulate" else wrong]})


@pytest.mark.parametrize("what,option", [("connectome", "cook2020"), ("control", "weight-shufle"), ("without", "x")])
def test_an_unknown_name_gets_a_hint(name: str, what: str, option: str) -> None:
    with pytest.raises(LookupError, match=r"did you mean|there are"):
        bestiary.animal(name, **{what: option})


@pytest.mark.parametrize("control", [None, "poisson", "pattern-generator"])
def test_a_restored_animal_goes_on_as_the_first_did(name: str, control: str | None) -> None:
    """Also in another animal of the same making, whose own past is another."""
    neuron = bestiary.animal(name).names[0]
    animal, other = (bestiary.animal(name, stimulate=[f"{neuron}:5pA@0.05-0.2"], control=control) for _ in range(2))
    env = EmbodiedEnv(name, "locomotion", clock=animal.clock)
    obs, info = env.reset(seed=0)
    animal.reset(info["episode_seed"])
    other.reset(1)
    animal.inject([1], 2.0)
    for _ in range(10):
        obs, *_ = env.step(animal.act(obs))
    kept, body = animal.get_state(), env.get_state()
    runs = []
    for goes_on in (animal, animal, other):
        if runs:
            obs = env.set_state(body)
            goes_on.set_state(kept)
        actions, volts = [], []
        for _ in range(15):
            actions.append(goes_on.act(obs))
            obs, *_ = env.step(actions[-1])
            volts.append(goes_on.probe()["voltage_mV"].copy())
        runs.append(np.concatenate([np.array(volts), np.array(actions)], axis=1))
    assert np.array_equal(runs[0], runs[1]) and np.array_equal(runs[0], runs[2])


def shortened(tree: Any) -> Any:
    return {k: shortened(v) for k, v in tree.items()} if isinstance(tree, dict) else np.zeros((1, 2, 3))


def test_a_state_of_another_brain_is_refused(name: str) -> None:
    animal = bestiary.animal(name)
    animal.reset(0)
    state = animal.get_state()
    state["brain"] = shortened(state["brain"])
    with pytest.raises(BestiaryError, match="another's"):
        animal.set_state(state)


def test_a_poisson_brain_keeps_the_mean_and_its_speed_at_any_clock() -> None:
    from bestiary.interfaces._controls import PoissonBrain

    rest, most = np.full(50, 0.45, np.float32), np.full(50, 0.64, np.float32)
    lasting = []
    for clock in (Clock("0.01", "0.01", "0.01"), Clock("0.02", "0.01", "0.01")):
        made = PoissonBrain()
        made.bind(None, None, clock)
        made.reset(3)
        reading = {"release": rest, "release_rest": rest, "release_max": most}
        x = np.array([made.activity(reading)["release"] for _ in range(1500)]) - 0.45
        assert abs(x.mean()) < 0.005 and x.std() > 0.1 and (abs(x) <= 0.19 + 1e-6).all()
        lag = round(0.1 / clock.control_s)
        lasting.append((x[lag:] * x[:-lag]).mean() / x.var())
    assert lasting == pytest.approx([np.exp(-1), np.exp(-1)], abs=0.06)  # 0.1 s


def test_a_lesioned_neuron_touches_nobody_and_nothing_else_changes() -> None:
    whole, cut = bestiary.animal("worm").brain, bestiary.animal("worm", lesion=["AVAL"]).brain
    row = int(whole.select("AVAL")[0])
    for table in ("synapse_nS", "gap_nS"):
        a, b = getattr(whole.net, table), getattr(cut.net, table)
        assert not b[row].any() and not b[:, row].any()
        keep = np.arange(len(a)) != row
        assert np.array_equal(a[np.ix_(keep, keep)], b[np.ix_(keep, keep)])
    assert np.array_equal(whole.net.equilibrium()["half"], cut.net.equilibrium()["half"])


def test_rim_goes_along_with_a_reversal_and_silences_avb() -> None:
    def change_mV(**other: float) -> list[float]:
        """Of AVA, RIM, AVB through a second of light on AVA and AVE, the body held straight."""
        quiet = {"noise_mV": 0.0, "noise_motor_mV": 0.0}
        animal = bestiary.animal("worm", parameters=quiet | other, stimulate=["AVA,AVE:light=1@1-2"])
        obs = EmbodiedEnv("worm", "locomotion", clock=animal.clock).reset(seed=0)[0]
        animal.reset(0)
        second, seen = round(1 / animal.clock.control_s), []
        for k in range(2 * second):
            animal.act(obs)
            if (k + 1) % second == 0:
                seen.append([animal.probe()["voltage_mV"][animal.index([c])].mean() for c in ("AVA", "RIM", "AVB")])
        return [float(x) for x in np.subtract(seen[1], seen[0])]

    (ava, rim, avb), (alone, still, up) = change_mV(), change_mV(rim_gap=1.0, rim_strength=1.0)
    assert ava > 20 < alone and rim > 10 > 2 * still and avb < -20 < 2 * up


def test_the_worm_ships_what_its_search_gave() -> None:
    from bestiary import assets
    from bestiary.tasks._fit import stages

    fit = json.loads(assets.file("worm", "fit_loop.json").read_text(encoding="utf-8"))
    shipped, stage = bestiary.load("brains", "worm").parameters(), stages("worm")[fit["stage"]]
    assert fit["parameters"] == shipped and tuple(fit["fitted"]) == stage.parameters
    start = json.loads(assets.file("worm", stage.start).read_text(encoding="utf-8"))["parameters"]
    assert all(start[p] == value for p, value in shipped.items() if p not in fit["fitted"])
    assert fit["log"][-1]["evaluations"] == fit["budget"] == stage.budget and fit["loss"] == fit["log"][-1]["best"]
    assert all(
        "fit_loop.json" in bestiary.load("brains", "worm").parameter_table()[p]["fitted_to"] for p in fit["fitted"]
    )


def test_stretch_is_felt_most_when_it_changes() -> None:
    body = bestiary.load("bodies", "worm").BODY()
    obs = {s.name: np.full(s.shape, s.rest) for s in body.senses}
    obs["stretch"] = np.full_like(obs["stretch"], 1e-7)  # far below saturation, where currents are linear
    obs["stretch"][:2] *= -1

    def felt(without: list[str]) -> Any:
        interface = bestiary.animal("worm", without=without).interface
        state, out = interface.init(), []
        for _ in range(200):
            state, current = interface.encode(state, obs)
            out.append(current)
        return np.array(out), interface

    (lasting, _), (both, interface) = felt(["phasic-stretch"]), felt([])
    assert lasting[0].any() and lasting[-1] == pytest.approx(lasting[0])
    assert both[0] == pytest.approx(lasting[0] * (1 + interface.phasic * (1 - interface.follow)), rel=1e-3)
    assert both[-1] == pytest.approx(lasting[-1], rel=1e-3)


def test_touch_receptors_quiet_the_opposing_pool() -> None:
    """The brain alone, without noise, 0.5 s of current into the receptors of either half."""
    quiet = {"noise_mV": 0.0, "noise_motor_mV": 0.0}
    brain = bestiary.animal("worm", parameters=quiet).brain
    nothing = np.zeros(len(brain.names), np.float32)

    def settled(state: Any, current: Any, steps: int) -> Any:
        for _ in range(steps):
            state = brain.advance(state, current, nothing)
        return state

    calm = settled(brain.init(0), nothing, 300)
    for receptors, up, down in (("PLM", "AVB,PVC", "AVA,AVD,AVE"), ("ALM,AVM", "AVA,AVD,AVE", "AVB,PVC")):
        current = nothing.copy()
        current[brain.select(receptors.split(","))] = 30.0
        change = settled(calm, current, 50)["v"] - settled(calm, nothing, 50)["v"]
        for pool, sign in ((up, 1), (down, -1)):
            for name in pool.split(","):
                assert sign * change[brain.select(name)].mean() > 0.2, (receptors, name)


def test_synapses_of_unknown_transmitters_are_left_out() -> None:
    from bestiary.brains import worm

    p = worm.parameters()
    brains = [worm.build(None, p | {"unknown_strength": k}, Clock()) for k in (0.0, 1.0)]
    dopamine = brains[0].select("CEP*")
    without, with_them = (b.net.synapse_nS[:, dopamine] for b in brains)
    assert not without.any() and with_them.any()
    assert (brains[0].net.gap_nS == brains[1].net.gap_nS).all() and brains[0].net.gap_nS[:, dopamine].any()
    known = brains[0].select("ALM")
    assert (brains[0].net.synapse_nS[:, known] == brains[1].net.synapse_nS[:, known]).all()


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


def test_the_wrapper_shines_on_named_neurons() -> None:
    runs = []
    for light in (0.0, 1.0):
        animal = bestiary.animal("worm")
        env = PerturbBrain(EmbodiedEnv("worm", "locomotion"), animal, ["AIY"], kind="light")
        assert env.action_space.shape == (1,) and env.action_space.high[0] == 2
        env.reset(seed=0)
        runs.append([env.step(np.array([light]))[4]["voltage_mV"][0] for _ in range(20)])
    assert runs[1][-1] > runs[0][-1] + 2
    with pytest.raises(ActionError, match="allowed is -2 to 2 rest conductances"):
        env.step(np.array([3.0]))


def test_the_wrapper_passes_gymnasiums_own_check() -> None:
    env = PerturbBrain(gymnasium.make("bestiary/WormCrawl-v0"), bestiary.animal("worm"), "AVA")
    assert env.neurons == ("AVA",) and env.action_space.shape == (1,)
    with pytest.raises(EpisodeError, match="before reset"):
        PerturbBrain(EmbodiedEnv("worm", "locomotion"), bestiary.animal("worm"), "AVA").step(np.zeros(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*is different from the unwrapped version")
        warnings.filterwarnings("ignore", ".*normalized space")  # ours is in pA
        check_env(env, skip_render_check=True)


@pytest.mark.parametrize("control", ["intact", *WORM])
def test_every_control_runs_and_differs(control: str) -> None:
    actions, _ = rollout(bestiary.animal("worm", control=control, control_seed=1), "worm", 40)
    intact, _ = rollout(bestiary.animal("worm"), "worm", 40)
    assert np.array_equal(actions, intact) == (control == "intact")
    assert np.isfinite(actions).all()


@pytest.mark.parametrize("control", [c for c in CONTROLS if issubclass(CONTROLS[c], Rewiring)])
def test_a_rewired_animal_keeps_its_muscles_and_says_how_much_moved(control: str) -> None:
    intact = bestiary.animal("worm")
    rewired = bestiary.animal("worm", control=control, control_seed=1)
    kinds = ("neuromuscular", "muscle_gap")
    assert intact.brain.connectome.moved_share(rewired.brain.connectome, kinds) == 0
    assert np.array_equal(intact.interface.nmj, rewired.interface.nmj)
    assert intact.about["moved_share"] == 0 and rewired.about["moved_share"] > 0.2


def test_a_kelvin_is_a_kelvin_at_any_temperature() -> None:
    animal = bestiary.animal("worm")
    currents = []
    for cold in (0.0, 10.0, 30.0):
        state = animal.interface.init()
        for rise in (0.0, 0.1):
            obs = {s.name: np.full(s.shape, s.rest) for s in animal.senses} | {"temperature_C": np.full(2, cold + rise)}
            state, current = animal.interface.encode(state, obs)
        currents.append(current[animal.index("AFD")])
    assert currents[0].min() > 0
    assert currents[1] == pytest.approx(currents[0], rel=1e-6) and currents[2] == pytest.approx(currents[0], rel=1e-6)


def test_permuted_senses_are_all_there_and_none_in_its_place(name: str) -> None:
    body = bestiary.load("bodies", name).BODY()
    obs = {s.name: 100.0 * k + np.arange(np.prod(s.shape)).reshape(s.shape) for k, s in enumerate(body.senses)}
    for seed in range(10):
        given = CONTROLS["sensor-permutation"](seed)
        given.bind(None, body, Clock())
        new = given.senses(obs)
        assert {k: v.shape for k, v in new.items()} == {k: v.shape for k, v in obs.items()}
        assert sorted(np.concatenate([v.ravel() for v in new.values()])) == sorted(
            np.concatenate([v.ravel() for v in obs.values()])
        )
        for s in body.senses:
            alike = [t for t in body.senses if t.external and (t.shape, t.unit) == (s.shape, s.unit)]
            shares = bool(np.isin(new[s.name], obs[s.name]).any())
            assert shares == (not s.external or len(alike) == 1), s.name


def test_a_permuted_worm_tastes_salt_with_other_neurons() -> None:
    quiet = {"noise_mV": 0.0, "noise_motor_mV": 0.0}
    volts = []
    for control in (None, "sensor-permutation"):
        animal = bestiary.animal("worm", control=control, parameters=quiet)
        obs = {s.name: np.full(s.shape, s.rest) for s in bestiary.load("bodies", "worm").BODY().senses}
        animal.reset(0)
        for step in range(60):
            obs["nacl_mol_per_m3"] = np.full(2, 50.0 + 10 * (step > 10))
            animal.act(obs)
        volts.append(animal.probe()["voltage_mV"][animal.index("ASEL")[0]])
    assert volts[0] > volts[1] + 3


def test_a_brain_that_is_no_longer_finite_is_named() -> None:
    animal = bestiary.animal("worm")
    animal.reset(0)
    with pytest.raises(BestiaryError, match="finite"):
        animal.inject(animal.index("AVAL"), np.nan)
    state = animal.get_state()
    state["brain"]["v"][animal.index("AVAL")] = np.nan
    animal.set_state(state)
    env = EmbodiedEnv("worm", "locomotion")
    obs, _ = env.reset(seed=0)
    with pytest.raises(DivergenceError, match=r"no longer finite at \d"):
        for _ in range(5):
            animal.act(obs)


def reordered(table: Connectome, order: np.ndarray) -> Connectome:
    place = np.argsort(order)
    columns = ("ids", "names", "types", "kinds", "sides", "transmitters", "position_um")
    return replace(
        table,
        **{c: getattr(table, c)[order] for c in columns},
        extra={k: v[order] for k, v in table.extra.items()},
        pre=place[table.pre],
        post=place[table.post],
    )


def test_the_order_of_the_neurons_does_not_matter() -> None:
    table = load_connectome("worm", "cook2019", gap_cap=81)
    n = len(table.neurons)
    order = np.r_[np.random.default_rng(0).permutation(n), n + np.arange(len(table) - n)]
    turned = reordered(table, order)
    quiet = {"noise_mV": 0.0, "noise_motor_mV": 0.0}  # noise goes by row
    runs = []
    for given in (table, turned):
        animal = bestiary.animal("worm", connectome=given, parameters=quiet)
        actions, volts = rollout(animal, "worm", 60)
        runs.append(np.concatenate([actions, volts[:, np.argsort(animal.names)]], axis=1))
    assert np.abs(runs[0]).max() > 10 and runs[1] == pytest.approx(runs[0], abs=1e-3)


def test_the_order_of_the_muscles_does_not_matter() -> None:
    table = load_connectome("worm", "cook2019", gap_cap=81)
    n = len(table.neurons)
    order = np.r_[np.arange(n), n + np.random.default_rng(0).permutation(len(table) - n)]
    runs = [
        rollout(bestiary.animal("worm", connectome=given), "worm", 20)[0] for given in (table, reordered(table, order))
    ]
    assert runs[0].std() > 0.01 and runs[1] == pytest.approx(runs[0], abs=1e-4)


def test_missing_muscles_and_junctions_are_named() -> None:
    table = load_connectome("worm", "cook2019", gap_cap=81)
    with pytest.raises(ConnectomeError, match="lacks 1 of the 95 muscles of the body: MDL07"):
        renamed = np.where(table.ids == "MDL07", "MDL99", table.ids)
        bestiary.animal("worm", connectome=replace(table, ids=renamed))
    with pytest.raises(ConnectomeError, match="muscles='cook2019'"):
        bestiary.animal("worm", connectome=load_connectome("worm", "white1986"))
    with pytest.raises(ConnectomeError, match="along"):
        bestiary.animal("worm", connectome=replace(table, extra={}))


@pytest.mark.parametrize("connectome", ["witvliet8", "varshney2011", "white1986"])
def test_other_connectomes_borrow_the_muscles_and_run(connectome: str) -> None:
    cook, animal = bestiary.animal("worm"), bestiary.animal("worm", connectome=connectome)
    other = animal.brain.connectome
    assert other.source.endswith("neuromuscular edges from cook2019") and animal.about["connectome"] == other.source
    assert "neuromuscular edges from" not in cook.about["connectome"]
    kinds = ("neuromuscular", "muscle_gap")
    table = cook.brain.connectome
    assert [other.kind.counts()[k] for k in kinds] == [table.kind.counts()[k] for k in kinds]
    own = load_connectome("worm", connectome).kind.counts()
    assert other.kind.counts()["chemical"] == own["chemical"] != table.kind.counts()["chemical"]
    actions, _ = rollout(animal, "worm")
    assert np.isfinite(actions).all() and actions.std() > 0.005


def test_both_back_ends_are_one_animal() -> None:
    runs = {b: rollout(bestiary.animal("worm", backend=b), "worm", 20) for b in ("kernel", "brainstate")}
    assert runs["brainstate"][0] == pytest.approx(runs["kernel"][0], abs=1e-3)
    assert runs["brainstate"][1] == pytest.approx(runs["kernel"][1], abs=0.01)
    assert bestiary.animal("worm").about["backend"] == "kernel"
    with pytest.raises(LookupError, match="did you mean 'brainstate'"):
        bestiary.animal("worm", backend="brainstat")


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
