"""Level A, structure: what is declared, what the running model shows, and the lower of the two."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import bestiary
from bestiary import assets
from bestiary.tasks.turing.contract import Margin, Outcome, Reference, Result, Test, Verdict, judge, not_run, validate
from bestiary.tasks.turing.controls import CONTROLS
from bestiary.tasks.turing.definitions import TESTS
from bestiary.tasks.turing.exam import Exam
from bestiary.tasks.turing.rubric import DIMENSIONS, UNSUMMED, WHOLE

_MODULATORS = ("modulator", "dopamine", "serotonin", "octopamine", "tyramine", "peptide", "acetylcholine_volume")


@dataclass(frozen=True)
class Dimension:
    """One row of the rubric. computed: None where nothing could be computed; `saw` says what it rests on."""

    name: str
    declared: int
    computed: int | None
    evidence: str
    saw: str

    @property
    def published(self) -> int:
        """The lower one; what was not declared, or cannot be computed of a policy without a card, is 0."""
        return self.declared if self.computed is None else min(self.declared, self.computed)


def declared(animal: str) -> dict[str, Any]:
    """assets/<animal>/card.toml, or nothing."""
    file = assets.find(animal, "card.toml")
    return tomllib.loads(file.read_text(encoding="utf-8")) if file is not None else {}


def run(exam: Exam, others: Mapping[str, list[Result]]) -> tuple[list[Result], list[Dimension]]:
    """(the test of provenance, the rubric). others: results of levels D and E, which three dimensions rest on."""
    test = TESTS["A.structure"]
    if exam.why_not:
        return [not_run(test, exam.why_not)], []
    rubric = dimensions(exam, others)
    if exam.candidate.own:
        why = "no connectome table and no card: every level counts as 0"
        return [Result(test, Verdict.FAIL, Outcome(0.0, 0.0, 0.0, 1, 1), reason=why)], rubric
    level = next(d for d in rubric if d.name == "connectivity")
    wiring = structure(exam.policy)
    value = float(level.published)
    reference = Reference("State of Brain Emulation 2025", "", "CC BY 4.0", "", 1)
    test = replace(test, reference=reference, margin=Margin(low=3))
    result = judge(test, Outcome(value, value, value, 1, 1, wiring), least=1)
    result = validate(replace(result, controls=_controls(exam, test)))
    control = exam.candidate.policy
    if control and wiring["moved"] > 0:
        why = f"{wiring['moved']:.0%} of the edges were moved by {control}"
        return [replace(result, verdict=Verdict.FAIL, reason=why)], rubric
    if result.verdict is Verdict.INCONCLUSIVE and value >= 3:  # nothing is sampled: the table is what it is
        result = replace(result, verdict=Verdict.PASS, reason="")
    return [result], rubric


def _controls(exam: Exam, test: Test) -> dict[str, tuple[float, float, float, Verdict]]:
    """K3 as it is built, and K15, which has no wiring."""
    levels = {"K15": 0}
    if not exam.candidate.policy:
        levels["K3"] = _connectivity(structure(exam.candidate.build(control=CONTROLS["K3"].animal)))[0]
    return {k: (float(v),) * 3 + (test.margin.judge(v, v),) for k, v in levels.items()}


def _connectivity(wiring: Mapping[str, Any]) -> tuple[int, str]:
    """(level, what it rests on)."""
    share, cut = wiring["edges_measured"], wiring["moved"]
    if cut > 0.5:
        return 0, f"{cut:.0%} of the edges moved by a control"
    level = 0 if not wiring["edges"] else 3 if share >= 0.99 else 2 if share >= 0.5 else 1 if share > 0 else 0
    return level, f"{share:.1%} of {wiring['edges']} edges seen in EM"


def structure(policy: Any) -> dict[str, Any]:
    """Of the connectome that runs: edges, shares by provenance, and what a control moved."""
    brain = policy.brain
    about = getattr(policy, "about", {})
    out: dict[str, Any] = {"moved": float(about.get("moved_share") or 0.0), "source": str(about.get("connectome", ""))}
    tables = (
        [t for t in (getattr(p, "table", None) for p in getattr(brain, "parts", {}).values()) if t is not None]
        if isinstance(getattr(brain, "parts", None), Mapping)
        else []
    )
    tables = tables or ([brain.connectome] if hasattr(brain, "connectome") else [])
    edges = sum(t.n_edges for t in tables)
    out["edges"] = edges
    out["edges_measured"] = sum(int(t.provenance.mask("EM_cell").sum()) for t in tables) / edges if edges else 0.0
    wired = sum(len(np.intersect1d(np.r_[t.pre, t.post], t.neurons)) for t in tables)
    out["neurons"], out["neurons_wired"] = sum(len(t.neurons) for t in tables), wired
    out["muscles"] = sum(len(t.muscles) for t in tables)
    return out


def dimensions(exam: Exam, others: Mapping[str, list[Result]]) -> list[Dimension]:
    """The ten dimensions and the unsummed eleventh. Raises nothing: what a policy does not show is not counted."""
    card = {} if exam.candidate.own else declared(exam.candidate.animal)
    said = card.get("rubric", {})
    found = computed(exam, others, card.get("neurons"))
    out = []
    for name in (*DIMENSIONS, UNSUMMED):
        row = said.get(name, {"level": 0, "evidence": "not declared"})
        level, saw = found.get(name, (None, "not computed"))
        out.append(Dimension(name, int(row["level"]), level, row["evidence"], saw))
    return out


def computed(
    exam: Exam, others: Mapping[str, list[Result]], neurons_known: int | None
) -> dict[str, tuple[int | None, str]]:
    """Dimension -> (level, what it rests on), from the model that runs."""
    out: dict[str, tuple[int | None, str]] = {}
    policy = exam.policy
    if hasattr(policy, "brain"):
        w = structure(policy)
        out["connectivity"] = _connectivity(w)
        part = w["neurons_wired"] / max(neurons_known or w["neurons"], 1)
        level = (3 if w["muscles"] else 2) if part >= WHOLE else 1 if part >= 0.01 else 0
        out["percentage of neurons"] = (
            level,
            f"{part:.1%} of {neurons_known or w['neurons']} neurons are wired and simulated",
        )
        out |= of_policy(policy)
        if "plasticity" not in out:
            out["plasticity"] = _plasticity(exam)
    out["behaviour complexity"] = _behaviour(exam, others.get("D", []))
    individual = next((r for r in others.get("D", []) if r.test.id == "D.individuality"), None)
    if individual is not None and individual.verdict is not Verdict.NOT_RUN:
        ok = individual.verdict is Verdict.PASS
        out["personality"] = (
            int(ok),
            f"D.individuality: {individual.verdict}; at most 1 without individual connectomes",
        )
    learning = [r for r in others.get("E", []) if r.verdict is not Verdict.NOT_RUN]
    if learning:
        out["learning horizon"] = (int(any(r.verdict is Verdict.PASS for r in learning)), "level E")
    return out


def of_policy(policy: Any) -> dict[str, tuple[int | None, str]]:
    """What a built animal shows without being run: cell types, accuracy, time, modulation, and plasticity where no
    state of the brain could hold a weight."""
    out: dict[str, tuple[int | None, str]] = {"temporal resolution": _time(policy), "neuronal accuracy": _unit(policy)}
    if (kinds := cell_types(policy.brain)) is not None:
        level = 0 if kinds < 2 else 1 if kinds == 2 else 2
        out["cell types"] = (level, f"{kinds} sets of parameters among neurons")
    words = [k for k in _start(policy) if any(m in k.lower() for m in _MODULATORS)]
    level = min(2, len(words))
    out["neuromodulation"] = (level, ", ".join(words) or "no state of the brain is a modulator")
    if not _weights(policy):
        out["plasticity"] = (0, "no state of the brain is a weight")
    return out


def cell_types(brain: Any) -> int | None:
    """Distinct sets of per-neuron parameters in use; None where a brain shows none."""
    n = len(brain.names)
    holder = next((h for h in (getattr(brain, "net", None), brain) if dataclasses.is_dataclass(h)), None)
    if holder is None:
        return None
    columns = []
    for f in dataclasses.fields(holder):
        value = getattr(holder, f.name)
        if f.name[0] != "_" and isinstance(value, np.ndarray) and value.shape == (n,) and value.dtype.kind == "f":
            if f.name in ("offset_mV", "quiet_mV", "input_nS", "membrane_nS"):
                continue  # these follow from the wiring
            columns.append(value)
    return len(np.unique(np.round(np.stack(columns, 1), 6), axis=0)) if columns else None


def _time(policy: Any) -> tuple[int | None, str]:
    clock = getattr(policy, "clock", None)
    if clock is None:
        return None, "no clock"
    level = 2 if clock.brain_s <= 5e-3 else 1
    return level, f"a brain step of {1e3 * clock.brain_s:g} ms; nothing below a cell"


def _unit(policy: Any) -> tuple[int | None, str]:
    if getattr(policy.brain, "compartments", 1) >= 2:
        return 3, f"{policy.brain.compartments} compartments"
    policy.reset(0)
    reading = policy.probe() if hasattr(policy, "_reading") or _acted(policy) else {}
    return (2, "membrane voltages of point neurons") if "voltage_mV" in reading else (1, "rates")


def _acted(policy: Any) -> bool:
    try:
        policy.probe()
    except Exception:  # a policy of anybody's
        return False
    return True


def _start(policy: Any) -> dict[str, Any]:
    """The state of the brain at rest, flat: names of nested parts joined by a slash."""

    def flat(value: Any, name: str) -> dict[str, Any]:
        if isinstance(value, Mapping):
            return {k: v for key, part in value.items() for k, v in flat(part, f"{name}/{key}".lstrip("/")).items()}
        return {name: np.asarray(value)} if hasattr(value, "shape") else {}

    return flat(policy.brain.init(0), "") if hasattr(policy.brain, "init") else {}


def _weights(policy: Any) -> list[str]:
    """States that have the size of edges, not of neurons, or are called weights."""
    n = len(policy.names)
    return [k for k, v in _start(policy).items() if "weight" in k.lower() or (v.ndim == 2 and v.size > 4 * n)]


def _plasticity(exam: Exam) -> tuple[int | None, str]:
    """Whether what could be a weight moves within 2 s."""
    policy, keys = exam.policy, _weights(exam.policy)
    before = _start(policy)
    env = _env(exam)
    obs, info = env.reset(seed=0)
    policy.reset(info["episode_seed"])
    for _ in range(round(2 / env.unwrapped.clock.control_s)):
        obs = env.step(policy.act(obs))[0]
    state = policy.get_state()["brain"]
    after = {k: np.asarray(v) for k, v in state.items() if k in keys}
    moved = [k for k, v in after.items() if v.shape == before[k].shape and not np.array_equal(v, before[k])]
    return (1, f"{', '.join(moved)} changes in a run") if moved else (0, "no weight changes in a run of 2 s")


def _env(exam: Exam) -> Any:
    from bestiary.envs import EmbodiedEnv

    options = exam.plan.get("behaviour") or exam.plan.get("robustness") or {"task": "locomotion"}
    return EmbodiedEnv(
        animal=exam.candidate.animal,
        task=options.get("task", "locomotion"),
        medium=options.get("medium"),
        clock=getattr(exam.policy, "clock", None),
        task_options={"seconds": 30.0},
        bad_action="clip",
    )


def _way_L(exam: Exam, build: dict[str, Any]) -> float:
    """Path of the centre in body lengths."""
    seconds = min(12.0, exam.budget.seconds / 5)
    world = {"task": _env_task(exam), "medium": _medium(exam)}
    trial = exam.trial(world, seconds, exam.seed, build=build, skip_s=seconds / 6)
    done = exam.run("A behaviour", [trial])[0]
    if done.track is None:
        return 0.0
    step = np.diff(done.track.com_m[::10], axis=0)
    return float(np.linalg.norm(step, axis=1).sum() / done.track.length_m)


def _env_task(exam: Exam) -> str:
    return str((exam.plan.get("behaviour") or {}).get("task", "locomotion"))


def _medium(exam: Exam) -> Any:
    return (exam.plan.get("behaviour") or {}).get("medium")


def _behaviour(exam: Exam, results: list[Result]) -> tuple[int | None, str]:
    way = _way_L(exam, {})
    if exam.candidate.own or exam.candidate.policy:
        return None, f"{way:.2g} body lengths"
    without = _way_L(exam, {"control": "brain-off"})
    if without > 0.5 * way:
        return 0, f"{without:.2g} body lengths without brain, {way:.2g} with it"
    text = f"{way:.2g} body lengths, {without:.2g} without brain"
    ran = [r for r in results if r.verdict is not Verdict.NOT_RUN]
    if ran and all(r.verdict is Verdict.PASS for r in ran):
        return 3, f"{text}; level D passed"
    env = _env(exam)
    obs, info = env.reset(seed=0)
    exam.policy.reset(info["episode_seed"])
    first = np.array(exam.policy.act(obs))
    exam.policy.reset(info["episode_seed"])
    moved = {k: v + 0.1 * (np.abs(v).max() + 1e-3) for k, v in obs.items()}
    listens = not np.allclose(first, exam.policy.act({k: v.astype(obs[k].dtype) for k, v in moved.items()}))
    return (
        2 if listens else 1
    ), f"{text}; {'senses move muscles' if listens else 'deaf to its senses'}; not passed at D"


def known(animal: str) -> bool:
    return animal in bestiary.animals("interfaces")
