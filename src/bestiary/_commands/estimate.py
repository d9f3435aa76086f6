"""`bestiary estimate ANIMAL`, `bestiary estimate --neurons N --synapses S`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bestiary._commands._show import Outcome, known_animal, physics, refuse_given, say, size, table
from bestiary.errors import BestiaryError

_OF_SIZE = ("model", "rate", "dt_ms", "compartments", "delay_steps", "plastic")  # what an animal has of its own


def command(options: Any) -> Outcome:
    sized = options.neurons is not None or options.synapses is not None
    if bool(options.animal) == sized or (sized and (options.neurons is None or options.synapses is None)):
        raise BestiaryError("give an animal, or both --neurons and --synapses")
    if options.animal:
        known_animal(options.animal, "interfaces")
        refuse_given(options, _OF_SIZE, f"{options.animal} has its own; they go with --neurons and --synapses")
        physics()
    from bestiary.tasks import _estimate

    measured: dict[str, float] = {}
    if options.animal:
        say(f"measuring {options.animal}")
        networks, measured = _estimate.of_animal(options.animal)
    else:
        net = _estimate.Network(
            options.neurons,
            options.synapses,
            options.model,
            options.rate,
            options.dt_ms,
            options.compartments,
            options.delay_steps,
            options.plastic,
        )
        networks = [(options.model, net)]
    machines: tuple[_estimate.Machine, ...] = _estimate.MACHINES
    if options.measure:
        say("measuring this machine")
        machines = (*machines, _estimate.here())
    found = _estimate.estimate(networks, machines)
    report = {**found, "measured_wall_s_per_s": measured, "hardware": [asdict(m) for m in machines]}
    return Outcome(report, _text(found, measured, machines))


def _text(found: dict[str, Any], measured: dict[str, float], machines: tuple[Any, ...]) -> str:
    rows = [
        (p["part"], p["model"], float(p["neurons"]), float(p["synapses"]), p["rate_Hz"], p["dt_ms"], p["flop_per_s"])
        for p in found["parts"]
    ]
    total = found["total"]
    lines = [
        table(rows, ("part", "model", "neurons", "synapses", "Hz", "dt ms", "FLOP/s")),
        f"  in all {total['flop_per_s']:.3g} FLOP, {size(total['traffic_bytes_per_s'])} moved and "
        f"{total['events_per_s']:.3g} synaptic events per second of life; {size(total['bytes'])} of memory",
        "at least, wall seconds per second of life",
        table(
            [(m["machine"], m["wall_s_per_s"], m["limit"], m["machines_for_memory"]) for m in found["machines"]],
            ("machine", "s per s", "limit", "machines for the memory"),
        ),
    ]
    here = machines[-1]
    if here.source == "measured now":
        events = f"{here.events_per_s:.3g} synaptic events/s"
        speed = f"{here.flop_per_s / 1e9:.3g} GFLOP/s, {here.bytes_per_s / 1e9:.3g} GB/s"
        lines.append(f"  measured here on one core: {speed}, {events}")
    if measured:
        lines.append(
            f"  measured here, one core: the brain alone takes {measured['brain']:.3g} s per s, the whole closed loop "
            f"{measured['loop']:.3g}"
        )
    lines.append("  formulas and sources: bestiary.tasks._estimate")
    return "\n".join(lines)
