"""Text of the CPU kernel of a (neuron, synapses), written out from their equations.

There are two forms with the same results bit for bit. Stepwise: all neurons go one step, then the next. Tiled: a block
of neurons goes as many steps as the shortest delay allows while it lies in the nearest cache, then the next block; what
arrives in those steps was sent before them, and is sorted by block first.
"""

from __future__ import annotations

from typing import Any

from bestiary.brains.spiking import _translate
from bestiary.brains.spiking._describe import arguments
from bestiary.brains.spiking.network import Plan

BLOCK = 1024


def tileable(plan: Plan) -> bool:
    """Whether blocks of neurons are independent of each other for the shortest delay, and nothing is drawn or traced
    step by step."""
    plain = plan.gap is None and not plan.network.neuron.graded and all(e.release < 0 for e in plan.edges)
    return plain and not len(plan.drive[0]) and all(e.delays.min(initial=1) >= 1 for e in plan.edges)


def kernel_source(plan: Plan, tiled: bool = False, counted: bool = False) -> str:
    """Text of the kernel. Its arrays' sizes are arguments, so networks of one form share one compilation.

    tiled: of a plan that is `tileable`, without traces. counted (tiled only): `out` takes how often each neuron fired,
    added from its third entry on, and not who fired when.
    """
    neuron, projections = plan.network.neuron, plan.network.projections
    arrays = [k for k, v in plan.constants.items() if v.ndim]
    scalars = [k for k, v in plan.constants.items() if not v.ndim]
    held_back = "synapse" in neuron.frozen
    # Where a spike clears g and what arrives in refractory time is lost, g is 0 all that time: it is enough to take it
    # as 0 up to the step in which refractory time ends, and deliver without asking. That spares a random read an event.
    lazily = held_back and neuron.clears
    plastic = [q for q, p in enumerate(projections) if p.synapse.release_states]
    n_rows = len(plan.rows)
    functions: list[str] = []

    def constant(name: str, at: str) -> str:
        return f"{name}_a[{at}]" if name in arrays else name

    def call(function: Any, prefix: str, local: dict[str, str], at: str) -> str:
        name = f"{prefix}_{function.__name__.strip('_')}"
        text = _translate.source(function, name)
        if text not in functions:
            functions.append(text)
        parts = [local[a] if a in local else constant(f"{prefix}_{a}", at) for a in arguments(function)]
        return f"{name}({', '.join(parts)})"

    out: list[str] = []

    def line(depth: int, text: str) -> None:
        out.append("    " * depth + text)

    state_arguments = ["F_", "I_"] + (["X_"] if plastic else [])
    given = ["C", "meta", "ctl", "drive"]
    given += ["cur"] if plan.network.current else []
    given += ["ev_at", "ev_w"] if len(plan.events[0]) else []
    for q in range(len(projections)):
        given += [f"ptr{q}", f"idx{q}", f"w{q}"]
    given += ["gap_ptr", "gap_idx", "gap_w"] if plan.gap is not None else []
    results = ["F", "I"] + (["X"] if plastic else []) + ["out", "trace"]
    line(0, f"def kernel({', '.join(state_arguments + given + results)}):")
    line(1, "n = F.shape[1]")
    line(1, "n_trace, n_p, ring_slots, cap = meta[0], meta[1], meta[2], meta[3]")
    line(1, "n_rec, offset = meta[4], meta[5]  # offset: number of the first neuron of this part")
    line(1, "window, most = meta[6], meta[7]  # steps of the shortest delay; spikes that may be recorded in as many")
    line(1, "base = 8")
    for name, size in [
        ("refractory", "n"),
        ("rec_of", "n"),
        ("trace_at", "n_trace"),
        ("p_at", "n_p"),
        ("p_hash", "n_p"),
    ]:
        line(1, f"{name} = meta[base:base + {size}]")
        line(1, f"base += {size}")
    for q in range(len(projections)):
        line(1, f"delays{q} = meta[base + 1:base + 1 + meta[base]]")
        line(1, f"base += 1 + delays{q}.size")
    for at, name in enumerate(scalars):
        line(1, f"{name} = C[{at}]")
    for at, name in enumerate(arrays):
        line(1, f"{name}_all = C[{len(scalars)} + {at} * n:{len(scalars)} + {at + 1} * n]")
    line(1, f"p_w = C[{len(scalars)} + {len(arrays)} * n:]")
    for r in range(n_rows):
        line(1, f"s{r} = F[{r}]")
    line(1, "start = I[4:4 + ring_slots]")
    line(1, "count = I[4 + ring_slots:4 + 2 * ring_slots]")
    line(1, "until = I[4 + 2 * ring_slots:4 + 2 * ring_slots + n]")
    line(1, "ring = I[4 + 2 * ring_slots + n:4 + 2 * ring_slots + n + cap]")
    line(1, "tail = 4 + 2 * ring_slots + n + cap")
    for m, q in enumerate(plastic):
        line(1, f"last{q} = I[tail + {m} * n:tail + {m + 1} * n]")
        line(1, f"share{q} = X[{m}]")
    line(1, "steps, key = ctl[0], np.uint32(ctl[1])")
    line(1, "room = (out.size - 2) // 2")
    line(1, "done = 0; events = 0")
    line(1, f"flags = np.zeros({BLOCK}, np.uint8); words = flags.view(np.uint64)")
    extra = plan.gap is not None or neuron.graded
    if extra:
        line(1, "into = np.empty(n, F.dtype)")
        line(1, "along = np.zeros(n, F.dtype)")
        if plan.gap is not None:
            line(1, "for i in range(n):")
            line(2, "for e in range(gap_ptr[i], gap_ptr[i + 1]):")
            line(3, "along[i] += gap_w[e]")
    used = sorted({r for r in range(n_rows) if not _is_release(plan, r)})

    def bind() -> None:
        """Names for one block of the states."""
        for r in used:
            line(3, f"b{r} = s{r}[b:e]")
        line(3, "bu = until[b:e]")
        for name in arrays:
            line(3, f"{name}_a = {name}_all[b:e]")
        if plan.network.current:
            line(3, "bc = cur[b:e]")
        if extra:
            line(3, "bi = into[b:e]; bl = along[b:e]")

    def integrate(depth: int) -> None:
        """Neurons of a block go one step; selects, no branches: it vectorises."""
        line(depth, "for i in range(e - b):")
        line(depth + 1, "ok = bu[i] <= k")
        for r in used:
            late = lazily and r >= len(neuron.states)
            line(depth + 1, f"x{r} = b{r}[i]")
            if late:
                line(depth + 1, f"x{r} = x{r} if bu[i] < k else F.dtype.type(0)")
        currents, conductances, new = [], [], {}
        if plan.network.current:
            currents.append("bc[i]")
        if extra:
            currents.append("bi[i]")
        if plan.gap is not None and neuron.conductance:
            conductances.append("bl[i]")
        for q, p in enumerate(projections):
            if not p.synapse.states:
                continue
            local = {s: f"x{plan.rows.index(f'p{q}_{s}')}" for s in p.synapse.states} | {"v": "x0"}
            states = [plan.rows.index(f"p{q}_{s}") for s in p.synapse.states]
            lead = [f"i{q}", f"g{q}"] if p.synapse.conductance else [f"i{q}"]
            line(
                depth + 1,
                f"{', '.join(lead + [f'y{r}' for r in states])} = {call(p.synapse.update, f'p{q}', local, 'i')}",
            )
            currents.append(f"i{q}")
            if p.synapse.conductance:
                conductances.append(f"g{q}")
            for r in states:
                new[r] = held_back and not lazily
        local = {s: f"x{r}" for r, s in enumerate(neuron.states)}
        local["i"] = " + ".join(currents) or "F.dtype.type(0)"
        local["g"] = " + ".join(conductances) or "F.dtype.type(0)"
        names = [f"y{r}" for r in range(len(neuron.states))]
        line(depth + 1, f"{', '.join(names)} = {call(neuron.update, 'n', local, 'i')}")
        for r, s in enumerate(neuron.states):
            new[r] = s in neuron.frozen
        for r, frozen in sorted(new.items()):
            if frozen:
                line(depth + 1, f"y{r} = y{r} if ok else x{r}")
            line(depth + 1, f"b{r}[i] = y{r}")
        if not neuron.graded:
            local = {s: f"y{r}" for r, s in enumerate(neuron.states)}
            line(depth + 1, f"spiked = {call(neuron.spikes, 'n', local, 'i')}")
            line(depth + 1, "flags[i] = spiked; c |= spiked")

    def collect(depth: int, note: str) -> None:
        """Who fired: eight flags at a time, where a block has any."""
        line(depth, "if c:")
        line(depth + 1, "flags[e - b:] = 0")
        line(depth + 1, "for w in range(words.size):")
        line(depth + 2, "if words[w] != 0:")
        line(depth + 3, "for i in range(8 * w, 8 * w + 8):")
        line(depth + 4, "if flags[i] != 0 and bu[i] <= k:")
        line(depth + 5, note)

    def put_back(depth: int) -> None:
        """Reset of neuron i. Gives as many values as it has states among its results: those named in its return."""
        local = {s: f"s{r}[i]" for r, s in enumerate(neuron.states)}
        text = call(neuron.reset, "n", local, "i").replace("_a[i]", "_all[i]")
        line(depth, f"{', '.join(f's{r}[i]' for r in range(len(neuron.states)))} = {text}")
        if neuron.clears:
            for r in used:
                if r >= len(neuron.states):
                    line(depth, f"s{r}[i] = 0")

    def lost(target: int) -> bool:
        """Whether what arrives in refractory time is lost, and has to be asked for."""
        return (held_back and not lazily) if target else "v" in neuron.frozen

    def stepwise() -> None:
        line(1, "while done < steps and events + n_rec <= room:")
        line(2, "k = I[0]; head = I[1]; slot = k % ring_slots")
        line(2, "start[slot] = head; fired = np.int32(0)")
        if extra:
            line(2, "into[:] = 0")
        if plan.gap is not None:
            line(2, "for i in range(n):")
            line(3, "x = F.dtype.type(0) * s0[i]")
            line(3, "for e in range(gap_ptr[i], gap_ptr[i + 1]):")
            line(4, "x += gap_w[e] * s0[gap_idx[e]]")
            line(3, "into[i] = x" if neuron.conductance else "into[i] = x - along[i] * s0[i]")
        if neuron.graded:
            at = neuron.states.index("r")
            for q in range(len(projections)):
                line(2, "for i in range(n):")
                line(3, f"if s{at}[i] != 0:")
                line(4, f"for e in range(ptr{q}[i], ptr{q}[i + 1]):")
                line(5, f"into[idx{q}[e]] += w{q}[e] * s{at}[i]")
        # 1. integrate, block by block, so that a block stays in the nearest cache; selects, no branches: it vectorises
        line(2, f"for b in range(0, n, {BLOCK}):")
        line(3, f"e = min(b + {BLOCK}, n); c = False")
        bind()
        integrate(3)
        if not neuron.graded:
            collect(3, "ring[head] = offset + b + i; fired += 1; head = head + 1 if head + 1 < cap else 0")
            line(2, "count[slot] = fired; I[1] = head")
            line(2, "q = start[slot]")
            line(2, "for m in range(fired):")
            line(3, "i = ring[q] - offset; until[i] = k + refractory[i]; r = rec_of[i]")
            line(3, "if r >= 0:")
            line(4, "out[2 + 2 * events] = k; out[3 + 2 * events] = offset + i; events += 1")
            for q in plastic:
                r = plan.edges[q].release
                local = {"u": f"s{r}[i]", "free": f"s{r + 1}[i]", "elapsed": f"F.dtype.type(k - last{q}[i])"}
                line(
                    3,
                    f"share{q}[q], s{r}[i], s{r + 1}[i] = {call(projections[q].synapse.release, f'p{q}', local, 'i')}",
                )
                line(3, f"last{q}[i] = k")
            line(3, "q += 1")
            line(3, "if q == cap: q = 0")
            # 3. what was sent one delay ago arrives
            for q, edges in enumerate(plan.edges):
                line(2, f"for d in range(delays{q}.size):")
                line(3, f"if delays{q}[d] > k: continue")
                line(3, f"past = (k - delays{q}[d]) % ring_slots; q = start[past]")
                line(3, "for m in range(count[past]):")
                line(4, f"row = ring[q] * delays{q}.size + d")
                if q in plastic:
                    line(4, f"share = share{q}[q]")
                line(4, f"for e in range(ptr{q}[row], ptr{q}[row + 1]):")
                add = f"s{edges.target}[j] += w{q}[e]" + (" * share" if q in plastic else "")
                line(5, f"j = idx{q}[e]")
                line(5, f"if until[j] <= k: {add}" if lost(edges.target) else add)
                line(4, "q += 1")
                line(4, "if q == cap: q = 0")
        # inputs
        line(2, "mixed = mix(np.uint32(k) ^ key)")
        line(2, "for b in range(0, n_p, 64):")
        line(3, "e = min(b + 64, n_p); c = False")
        line(3, "for i in range(b, e):")
        line(4, "c |= mix(np.uint32(p_hash[i]) ^ mixed) < drive[i]")
        line(3, "if c:")
        line(4, "for i in range(b, e):")
        line(5, "if mix(np.uint32(p_hash[i]) ^ mixed) < drive[i]:")
        _arrive(line, 6, "p_at[i]", "p_w[i]", neuron, held_back)
        if len(plan.events[0]):
            line(2, "while I[2] < ev_w.size and ev_at[0, I[2]] <= k:")
            line(3, "if ev_at[0, I[2]] == k:")
            _arrive(line, 4, "ev_at[1, I[2]]", "ev_w[I[2]]", neuron, held_back)
            line(3, "I[2] += 1")
        # 4. resets
        if not neuron.graded:
            line(2, "q = start[slot]")
            line(2, "for m in range(fired):")
            line(3, "i = ring[q] - offset")
            put_back(3)
            line(3, "q += 1")
            line(3, "if q == cap: q = 0")
        line(2, "for m in range(n_trace):")
        line(3, "trace[done, m] = F[trace_at[m] // n, trace_at[m] % n]")
        line(2, "I[0] = k + 1; done += 1")

    def tiles() -> None:
        streams = [f"{q}" for q in range(len(plan.edges))] + (["x"] if len(plan.events[0]) else [])
        line(1, f"blocks = (n + {BLOCK - 1}) // {BLOCK}; sent = np.empty((2, cap), np.int32)")
        line(1, "while done < steps and (events + most <= room or events + n_rec <= room):")
        line(2, "k0 = I[0]; span = min(steps - done, window) if events + most <= room else 1")
        # 1. what arrives in this window, by block, in order of time
        for x in streams:
            line(2, f"first{x} = np.zeros(blocks + 2, np.int64)")
            line(2, f"at{x} = np.empty(0, np.int32); when{x} = at{x}; by{x} = np.empty(0, F.dtype)")
            line(2, "for again in range(2):")
            line(3, "if again:")
            line(4, f"for b in range(blocks): first{x}[b + 2] += first{x}[b + 1]")
            line(4, f"size = first{x}[blocks + 1]")
            line(4, f"at{x} = np.empty(size, np.int32); by{x} = np.empty(size, F.dtype)")
            line(4, f"when{x} = np.empty(size, np.int32)")
            keep = f"p = first{x}[j // {BLOCK} + 1]; first{x}[j // {BLOCK} + 1] += 1"
            if x == "x":
                line(3, "m = I[2]")
                line(3, "while m < ev_w.size and ev_at[0, m] < k0 + span:")
                line(4, "if ev_at[0, m] >= k0:")
                line(5, "j = ev_at[1, m] % n")
                line(5, f"if again: {keep}; atx[p] = ev_at[1, m]; whenx[p] = ev_at[0, m]; byx[p] = ev_w[m]")
                line(5, f"else: firstx[j // {BLOCK} + 2] += 1")
                line(4, "m += 1")
                line(3, "if again: I[2] = m")
                continue
            line(3, "for k in range(k0, k0 + span):")
            line(4, f"for d in range(delays{x}.size):")
            line(5, f"if delays{x}[d] > k: continue")
            line(5, f"past = (k - delays{x}[d]) % ring_slots; q = start[past]")
            line(5, "for m in range(count[past]):")
            line(6, f"row = ring[q] * delays{x}.size + d")
            line(6, f"for e in range(ptr{x}[row], ptr{x}[row + 1]):")
            line(7, f"j = idx{x}[e]")
            line(7, f"if again: {keep}; at{x}[p] = j; when{x}[p] = k; by{x}[p] = w{x}[e]")
            line(7, f"else: first{x}[j // {BLOCK} + 2] += 1")
            line(6, "q = q + 1 if q + 1 < cap else 0")
        # 2. each block goes through the window
        line(2, "fired = 0; block = 0")
        line(2, f"for b in range(0, n, {BLOCK}):")
        line(3, f"e = min(b + {BLOCK}, n)")
        for x in streams:
            line(3, f"next{x} = first{x}[block]")
        bind()
        line(3, "for step in range(span):")
        line(4, "k = np.int32(k0 + step); c = False; before = fired")
        integrate(4)
        collect(4, "sent[0, fired] = b + i; sent[1, fired] = step; fired += 1")
        line(4, "for m in range(before, fired):")
        line(5, "i = sent[0, m]; until[i] = k + refractory[i]")
        for x in streams:
            line(4, f"while next{x} < first{x}[block + 1] and when{x}[next{x}] == k:")
            if x == "x":
                _arrive(line, 5, "atx[nextx]", "byx[nextx]", neuron, held_back)
            else:
                target = plan.edges[int(x)].target
                add = f"s{target}[j] += by{x}[next{x}]"
                line(5, f"j = at{x}[next{x}]")
                line(5, f"if until[j] <= k: {add}" if lost(target) else add)
            line(5, f"next{x} += 1")
        line(4, "for m in range(before, fired):")
        line(5, "i = sent[0, m]")
        put_back(5)
        line(3, "block += 1")
        # 3. its spikes, in order of time, then of neurons
        line(2, "place = np.zeros(span + 1, np.int64)")
        line(2, "for m in range(fired): place[sent[1, m] + 1] += 1")
        line(2, "for step in range(span):")
        line(3, "slot = (k0 + step) % ring_slots; count[slot] = place[step + 1]")
        line(3, "place[step + 1] += place[step]; start[slot] = (I[1] + place[step]) % cap")
        line(2, "for m in range(fired):")
        line(3, "ring[(I[1] + place[sent[1, m]]) % cap] = offset + sent[0, m]; place[sent[1, m]] += 1")
        if counted:
            line(3, "out[2 + sent[0, m]] += 1")
        else:
            line(2, "for step in range(span):")
            line(3, "slot = (k0 + step) % ring_slots; q = start[slot]")
            line(3, "for m in range(count[slot]):")
            line(4, "if rec_of[ring[q] - offset] >= 0:")
            line(5, "out[2 + 2 * events] = k0 + step; out[3 + 2 * events] = ring[q]; events += 1")
            line(4, "q = q + 1 if q + 1 < cap else 0")
        line(2, "I[1] = (I[1] + fired) % cap; I[0] = k0 + span; done += span")

    if tiled:
        tiles()
    else:
        stepwise()
    line(1, "out[0] = done; out[1] = events")
    return "\n\n".join(functions) + "\n\n" + "\n".join(out) + "\n"


def _is_release(plan: Plan, row: int) -> bool:
    return any(e.release >= 0 and e.release <= row < e.release + 2 for e in plan.edges)


def _arrive(line: Any, depth: int, flat: str, weight: str, neuron: Any, held_back: bool) -> None:
    """Input onto a state: lost where that state stands still."""
    line(depth, f"row = {flat} // n; j = {flat} % n")
    line(depth, f"still = {'v' in neuron.frozen} if row == 0 else {held_back}")
    line(depth, f"if until[j] <= k or not still: F[row, j] += {weight}")
