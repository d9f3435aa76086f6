"""The brain of C. elegans: the 302 neurons of a measured connectome as a graded network.

What the wiring gives: who synapses on whom with how many sections, gap junctions, transmitters and signs. What it does
not give is in assets/worm/parameters.json, every value with its source and what it was fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import bestiary
from bestiary.brains import _parameters
from bestiary.brains.connectome import Connectome, load_connectome
from bestiary.brains.graded import ROWS, GradedNetwork, settled
from bestiary.envs._clock import Clock
from bestiary.errors import UnknownNeuronError

Array = np.ndarray[Any, np.dtype[Any]]

DEFAULT = "cook2019"
BACKENDS = ("kernel", "brainstate")  # one fused numba kernel on a CPU core; the JAX module for GPUs and batches
HEAD_D, HEAD_V = ("SMDD", "RMDD"), ("SMDV", "RMDV")
FORWARD, BACKWARD = ("AVB", "PVC"), ("AVA", "AVD", "AVE")
GROUPS: dict[str, tuple[str, ...]] = {  # classes that share the fitted values `<name>_<group>`
    "head": (*HEAD_D, *HEAD_V, "RMD"),
    "b": ("DB", "VB"),
    "a": ("DA", "VA"),
    "forward": ("AVB",),
    "backward": ("AVA", "AVE"),
}
MOTOR = ("DA", "DB", "DD", "VA", "VB", "VD", "AS", *HEAD_D, *HEAD_V, "RMD")


def parameter_table() -> dict[str, dict[str, Any]]:
    """Every parameter of the worm: see `bestiary.brains._parameters`."""
    return _parameters.parameter_table("worm")


def parameters(given: Mapping[str, float] | str | Path | None = None) -> dict[str, float]:
    """Name -> value, with those of `given` instead: see `bestiary.brains._parameters`."""
    return _parameters.parameters("worm", given)


def network(connectome: Connectome, p: Mapping[str, float], without: tuple[str, ...] = ()) -> GradedNetwork:
    """The graded network of the neurons of a connectome (muscles apart) at parameters `p`."""
    unknown = connectome.kind.mask("chemical") & connectome.sign_by.mask("assumed")
    weight = np.where(unknown, connectome.weight * p["unknown_strength"], connectome.weight)
    connectome = replace(connectome, weight=weight)
    rows = connectome.neurons
    n = len(rows)
    types = connectome.types[rows]

    def of(*classes: str) -> Array:
        return np.isin(types, classes)

    def table(kind: str, signed: bool = False) -> Array:
        if kind not in connectome.kind.values:
            return np.zeros((n, n))
        whole = connectome.matrix(kind, signed=signed).toarray()[np.ix_(rows, rows)]
        return np.asarray(whole, float)

    count, effect = table("chemical").T, table("chemical", signed=True).T  # post x pre
    cross = np.outer(of(*HEAD_D), of(*HEAD_V))
    strength = np.where(cross | cross.T, p["cross_head"], 1.0)
    cross = np.outer(of(*FORWARD), of(*BACKWARD))
    strength[cross | cross.T] = p["cross_command"]
    # tyramine: in a reversal the head holds still and AVB stays silent (Pirri 2009)
    strength[np.outer(of("AVB", *HEAD_D, *HEAD_V, "RMD"), of("RIM"))] = p["rim_strength"]
    sensory = connectome.kinds[rows] == "sensory"
    inter = (connectome.kinds[rows] == "inter") & ~of(*FORWARD, *BACKWARD)
    strength = strength * np.where(sensory, p["sensory_strength"], 1.0)[None, :]
    motor = connectome.kinds[rows] == "motor"
    strength = strength * np.where(np.outer(~motor, inter), p["inter_strength"], 1.0)
    gap = table("gap")
    np.fill_diagonal(gap, 0)
    for these, those, times in (
        (("AVB",), GROUPS["b"], p["command_gap"]),
        (("AVA",), GROUPS["a"], p["command_gap"]),
        (("RIM",), GROUPS["backward"], p["rim_gap"]),
    ):
        joint = np.outer(of(*these), of(*those))
        gap[joint | joint.T] *= times

    plateau, adaptation = np.zeros(n), np.zeros(n)
    for name, classes in GROUPS.items():
        if "plateaus" not in without:
            plateau[of(*classes)] = p[f"plateau_{name}"]
        if "adaptation" not in without and name in ("head", "b", "a", "backward"):
            adaptation[of(*classes)] = p[f"adaptation_{name}"]
    one = np.ones(n)
    net = GradedNetwork(
        synapse_nS=count * strength * p["synapse_nS"],
        reversal_mV=np.where(effect < 0, p["inhibitory_mV"], p["excitatory_mV"]),
        gap_nS=gap * p["gap_nS"],
        capacitance_pF=one * p["capacitance_pF"],
        leak_nS=one * p["leak_nS"],
        leak_mV=one * p["leak_mV"],
        beta_per_mV=np.select(
            [of(*GROUPS["a"]), of(*GROUPS["b"]), of(*MOTOR)],
            [p["beta_a_per_mV"], p["beta_b_per_mV"], p["beta_motor_per_mV"]],
            p["beta_per_mV"],
        ),
        rise_per_s=one * p["rise_over_decay"] * p["decay_per_s"],
        decay_per_s=one * p["decay_per_s"],
        plateau=plateau,
        plateau_slope_mV=one * p["plateau_slope_mV"],
        offset_mV=np.zeros(n),
        quiet_mV=np.select([sensory, inter], [p["quiet_sensory_mV"], p["quiet_inter_mV"]]),
        tonic_pA=np.zeros(n),
        noise_mV=np.where(of(*MOTOR), p["noise_motor_mV"], p["noise_mV"]),
        noise_tau_s=p["noise_tau_s"],
        adaptation=adaptation,
        adaptation_tau_s=np.where(of(*BACKWARD), p["adaptation_backward_tau_s"], p["adaptation_tau_s"]),
    )
    # Set points: motor neurons are half active while the command neurons of their direction are.
    rest = net.equilibrium()
    leaning = of(*FORWARD).astype(float) - of(*BACKWARD)
    drive = leaning * p["arousal_mV"] * rest["membrane_nS"]
    ahead, aback = of(*GROUPS["b"], *GROUPS["head"]), of(*GROUPS["a"])
    forward, backward = settled(net, ahead, drive), settled(net, aback, -drive)
    offset = np.where(ahead, forward, np.where(aback, backward, rest["v_eq"])) - rest["v_eq"]
    offset[of(*GROUPS["b"])] += p["offset_b_mV"]
    offset[aback] += p["offset_a_mV"]
    net = replace(net, offset_mV=offset, tonic_pA=np.zeros(n) if "arousal" in without else drive)
    frozen = replace(net, tonic_pA=np.zeros(n)).equilibrium()
    # what muscles take as no drive: the release of the straight animal that is set to go forward
    phi = 1 / (1 + np.exp(-net.beta_per_mV * (forward - frozen["half"])))
    tone = net.rise_per_s * phi / (net.rise_per_s * phi + net.decay_per_s)
    return replace(net, frozen=frozen | {"forward": forward, "tone": tone})


def cut(net: GradedNetwork, lesioned: Array, silenced: Array) -> GradedNetwork:
    """The network without the synapses of some neurons; every other value stays that of the intact animal.

    lesioned, silenced: rows. A silenced neuron keeps its inputs; its gap junctions go, being outputs too.
    """
    synapse, gap = net.synapse_nS.copy(), net.gap_nS.copy()
    gone = np.union1d(lesioned, silenced).astype(int)
    synapse[:, gone] = 0
    synapse[lesioned] = 0
    gap[gone] = 0
    gap[:, gone] = 0
    return replace(net, synapse_nS=synapse, gap_nS=gap)


@dataclass(frozen=True)
class WormBrain:
    """The network compiled for a clock: `bestiary.interfaces._base.Brain`."""

    connectome: Connectome
    net: GradedNetwork
    clock: Clock
    lesioned: tuple[int, ...] = ()
    backend: str = "kernel"
    constant: ClassVar[tuple[str, ...]] = ("release_rest", "release_max")  # of what `read` gives
    names: tuple[str, ...] = field(init=False)
    groups: tuple[str, ...] = field(init=False)
    input_nS: Array = field(init=False)
    membrane_nS: Array = field(init=False)  # (n,) of leak and synapses alone; input_nS is with gap junctions
    _start: dict[str, Array] = field(init=False)
    _most: Array = field(init=False)
    _lean: Array = field(init=False)
    _alive: Array = field(init=False)
    _advance: Any = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        rows = self.connectome.neurons
        n = len(rows)
        eq = self.net.equilibrium()
        put(self, "names", tuple(self.connectome.ids[rows].tolist()))
        put(self, "groups", tuple(self.connectome.kinds[rows].tolist()))
        put(self, "input_nS", eq["input_nS"].astype(np.float32))
        put(self, "membrane_nS", eq["membrane_nS"].astype(np.float32))
        start = {"v": eq["forward"], "s": eq["tone"], "noise": np.zeros(n), "w": np.full(n, 0.5)}
        put(self, "_start", {k: x.astype(np.float32) for k, x in start.items()})
        # a removed neuron releases nothing onto muscle either: nothing takes it from its rest
        put(self, "_alive", ~np.isin(np.arange(n), self.lesioned))
        types = self.connectome.types[rows]
        lean = 15.0 * (
            np.isin(types, HEAD_D).astype(np.float32) - np.isin(types, HEAD_V)
        )  # mV: off the symmetric point
        put(self, "_lean", lean.astype(np.float32))
        put(self, "_most", np.where(self._alive, self.net.release_max(), start["s"]).astype(np.float32))
        put(self, "_advance", self._backend(self.net.compiled(self.clock.brain_s)))

    def _backend(self, constants: dict[str, Array]) -> Any:
        steps = self.clock.brain_steps
        if self.backend == "kernel":
            from bestiary.brains._graded_kernel import Kernel

            return Kernel(constants, steps)
        if self.backend == "brainstate":
            from bestiary.brains._engine import jnp

            put = {k: jnp.asarray(v) for k, v in constants.items()}
            step = _compiled(len(self.names), steps)
            return lambda state, current, light: step(put, state, current, light)
        raise LookupError(f"no backend {self.backend!r}; {bestiary.nearest(self.backend, BACKENDS, 'backend')}")

    def init(self, seed: int) -> dict[str, Any]:
        """Set to go forward, the head leaning to one side. seed: of that side and the noise, a non-negative integer."""
        mixed = np.random.SeedSequence(seed).generate_state(1, np.uint32)[0]
        side = 1 if mixed & 1 else -1
        v = self._start["v"] + np.float32(side) * self._lean
        return {**self._start, "v": v, "key": np.array([mixed, 0], np.uint32)}

    def advance(self, state: dict[str, Any], current_pA: Array, light_nS: Array) -> dict[str, Any]:
        return self._advance(state, current_pA, light_nS)

    def read(self, state: dict[str, Any]) -> dict[str, Array]:
        """voltage_mV, release (0..release_max), release_rest and release_max, (n,) each."""
        rest = self._start["s"]
        return {
            "voltage_mV": np.asarray(state["v"]),
            "release": np.where(self._alive, state["s"], rest) if self.lesioned else np.asarray(state["s"]),
            "release_rest": rest,
            "release_max": self._most,
        }

    def many(self, n: int, threads: int = 0, width: int = 0) -> Any:
        """What steps n such brains together, `width` (0: 32) side by side: see `brains/_graded_many.py`."""
        from bestiary.brains._graded_many import WIDTH, ManyKernels, ManyModules

        if self.backend == "kernel":
            return ManyKernels(self._advance, n, threads, width or WIDTH)
        from bestiary.brains._engine import jnp

        put = {k: jnp.asarray(v) for k, v in self.net.compiled(self.clock.brain_s).items()}
        return ManyModules(_compiled(len(self.names), self.clock.brain_steps, many=True), put, n)

    def read_many(self, many: Any, state: dict[str, Any]) -> dict[str, Array]:
        """What the decoder needs of n brains: release (n, neurons), release_rest and release_max (neurons,)."""
        rest, release = self._start["s"], many.column(state, "s")
        release = release if self._alive.all() else np.where(self._alive, release, rest)
        return {"release": release, "release_rest": rest, "release_max": self._most}

    def select(self, query: Any) -> Array:
        return neuron_rows(self.connectome, query)


def neuron_rows(connectome: Connectome, query: Any) -> Array:
    """Rows of the neurons that `query` names, in the order of the brain. Raises UnknownNeuronError, for muscles too."""
    found = connectome.select(query)
    rows = connectome.neurons
    if not (is_neuron := np.isin(found, rows)).all():
        muscle = connectome.ids[found[~is_neuron][0]]
        raise UnknownNeuronError(f"{muscle} is a muscle, not a neuron: its command is the action of that name")
    return np.searchsorted(rows, found)


@lru_cache(8)
def _shipped(name: str, gap_cap: float) -> Connectome:
    """The others have no junctions to single muscles, or those of the head only: all then take the default's."""
    return load_connectome("worm", name, gap_cap=gap_cap, muscles=DEFAULT)


@lru_cache(8)
def _compiled(n: int, steps: int, many: bool = False) -> Any:
    """The jitted control period of any network of n neurons: wiring and parameters are arguments.

    many: of many with one wiring, whose states and inputs have a leading axis."""
    from bestiary.brains._engine import functional, jax, jnp
    from bestiary.brains.graded import module

    zero = jnp.zeros(n, jnp.float32)
    example = {
        **dict.fromkeys((*ROWS, "plateau_mV"), zero),
        **{"solve": jnp.zeros((n, n)), "syn": jnp.zeros((2 * n, n)), "dt": zero[:1], "inhibitory_mV": zero[:1]},
    }
    _, step = functional(module(n), example, zero, zero)

    def advance(constants: Any, state: Any, current: Any, light: Any) -> Any:
        return jax.lax.scan(lambda s, _: (step(s, constants, current, light), None), state, None, length=steps)[0]

    return jax.jit(jax.vmap(advance, (None, 0, 0, 0)) if many else advance)


def build(
    connectome: Connectome | str | None,
    p: Mapping[str, float],
    clock: Clock,
    rewire: Any = None,
    lesion: tuple[str, ...] = (),
    silence: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    backend: str = BACKENDS[0],
) -> WormBrain:
    """The brain at parameters `p`. rewire: of the connectome, before any lesion, so the set points are its own."""
    table = connectome if isinstance(connectome, Connectome) else _shipped(connectome or DEFAULT, p["gap_cap_sections"])
    if rewire is not None:
        table = rewire(table)

    def pick(words: tuple[str, ...]) -> Array:
        names = [w for word in words for w in str(word).split(",")]
        return neuron_rows(table, names) if names else np.empty(0, int)

    lesioned, silenced = pick(lesion), pick(silence)
    net = cut(network(table, p, without), lesioned, silenced)
    gone = tuple(np.union1d(lesioned, silenced).astype(int).tolist())
    return WormBrain(table, net, clock, gone, backend)


BRAIN = WormBrain
