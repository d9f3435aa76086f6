"""The kernels of sampled networks (numba): draw edges, deliver spikes, step neurons. No JAX, no lock of Python's.

Each synapse is 64 mixed bits of (row, source cell, number): the lowest byte picks the weight, the upper bits the
target. What arrives is summed in whole units, so neither the order of synapses nor the number of threads changes a bit.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

BLOCK = 1024
GOLD = np.uint64(0x9E3779B97F4A7C15)
_FAST = {"contract", "nsz"}  # no reordering: results do not depend on vectors


@intrinsic
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Asks for array[index] before it is needed: rows of edges lie anywhere in memory."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        from llvmlite import ir

        data = context.make_array(array)(context, builder, given[0]).data
        at = builder.bitcast(builder.gep(data, [given[1]]), ir.IntType(8).as_pointer())
        i32 = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [at.type, i32, i32, i32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [at.type], kind)
        builder.call(function, [at, i32(0), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), emit


@numba.njit(inline="always")
def mix64(x: Any) -> Any:
    """splitmix64 (Steele, Lea & Flood 2014 OOPSLA)."""
    x = np.uint64(x)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit(inline="always")
def mix32(x: Any) -> Any:
    """lowbias32 (Wellons 2018)."""
    x = np.uint32(x)
    x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))


@numba.njit(inline="always")
def poisson(mean: Any, key: Any) -> Any:
    """A Poisson number from a key: inversion, in pieces of at most 16."""
    out = 0
    left = mean
    at = np.uint64(0)
    while left > 0:
        piece = min(left, 16.0)
        left -= piece
        at += np.uint64(1)
        u = float(mix64(key ^ (at << np.uint64(56))) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
        p = np.exp(-piece)
        total = p
        k = 0
        while u > total and k < 400:
            k += 1
            p *= piece / k
            total += p
        out += k
    return out


@numba.njit(inline="always", error_model="numpy")
def place_of(at: Any, size: Any) -> Any:
    """(x, y) of cell number `at` of a population on its sheet, a side of which is 2^32: it closes on itself."""
    wide = np.int64(np.ceil(np.sqrt(size)))
    high = (size + wide - 1) // wide
    x = np.uint32((2 * (at % wide) + 1) * np.int64(2**31) // wide)
    return x, np.uint32((2 * (at // wide) + 1) * np.int64(2**31) // high)


@numba.njit(inline="always")
def target_of(
    z: Any, x: Any, y: Any, first: Any, size: Any, wide: Any, high: Any, grain_x: Any, grain_y: Any, reach: Any,
    normal: Any,
) -> Any:  # fmt: skip
    """The target cell of a synapse of a source cell at (x, y). wide, high: of the target's sheet; grain: a cell of it,
    of 2^16; reach: of 2^16; normal: quantiles of a normal number, of 2^16."""
    if reach == 0:
        return first + np.int64(((z >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32))
    # the last terms place it inside the cell of the grid
    x = np.uint32(np.int64(x) + reach * normal[(z >> np.uint64(40)) & np.uint64(4095)]
                  + (np.int64((z >> np.uint64(8)) & np.uint64(65535)) - 32768) * grain_x)  # fmt: skip
    y = np.uint32(np.int64(y) + reach * normal[(z >> np.uint64(52)) & np.uint64(4095)]
                  + (np.int64((z >> np.uint64(24)) & np.uint64(65535)) - 32768) * grain_y)  # fmt: skip
    row, column = (np.int64(y) * high) >> 32, (np.int64(x) * wide) >> 32
    at = row * wide + column
    return first + (at if at < size else at - wide)


@numba.njit(nogil=True)
def count_exact(total: Any, key: Any, s_size: Any, below: Any, width: Any, offset: Any, out: Any) -> None:
    """Spreads exactly `total` synapses over source cells and delays. below: running share, as of 2^32.
    out[cell * width + offset[bin]]: rows of one source cell."""
    for i in range(total):
        z = mix64(key + np.uint64(i + 1) * GOLD)
        cell = np.int64(((z >> np.uint64(32)) * np.uint64(s_size)) >> np.uint64(32))
        low = z & np.uint64(0xFFFFFFFF)
        a, b = 0, below.size - 1
        while a < b:
            m = (a + b) // 2
            if low < below[m]:
                b = m
            else:
                a = m + 1
        out[cell * width + offset[a]] += 1


@numba.njit(inline="always")
def how_many(
    r: Any, cell: Any, s_first: Any, r0: Any, width: Any, mean: Any, key: Any, exact: Any, base: Any, counts: Any
) -> Any:
    """Synapses of a source cell in row r."""
    if exact:
        return np.int64(counts[base + (cell - s_first) * width + (r - r0)])
    return poisson(mean[r], mix64(key[r] + np.uint64(cell) * np.uint64(0xD1342543DE82EF95)))


@numba.njit(nogil=True)
def edges_of(
    fill: Any, shard: Any, pop_of: Any, pop_first: Any, pop_base: Any, n_delays: Any, at: Any, of: Any, upto: Any,
    bounds: Any, first: Any, size: Any, wide: Any, high: Any, mean: Any, table: Any, reach: Any, key: Any,
    codes: Any, normal: Any,
    exact: Any, counts: Any, ptr: Any, idx: Any, code: Any,
) -> Any:  # fmt: skip
    """All edges into one shard, by source cell and delay. fill False: only counts them into ptr[1:]."""
    lo, hi = bounds[shard], bounds[shard + 1]
    total = np.int64(0)
    for cell in range(pop_of.size):
        p = pop_of[cell]
        s_first, s_size = pop_first[p], pop_first[p + 1] - pop_first[p]
        r0, width = at[p * n_delays], at[(p + 1) * n_delays] - at[p * n_delays]
        x, y = place_of(cell - s_first, s_size)
        for d in range(n_delays):
            place = np.int64(ptr[cell * n_delays + d]) if fill else 0
            for r in range(of[shard, p * n_delays + d], upto[shard, p * n_delays + d]):
                m = how_many(r, cell, s_first, r0, width, mean, key, exact, pop_base[p], counts)
                whole = first[r] >= lo and first[r] + size[r] <= hi
                if not fill and whole:
                    total += m
                    continue
                k = mix64(key[r] ^ (np.uint64(cell) * np.uint64(0xA24BAED4963EE407)))
                w_t, h_t = wide[r], high[r]
                g_x, g_y = 65536 // w_t, 65536 // h_t
                for j in range(m):
                    z = mix64(k + np.uint64(j + 1) * GOLD)
                    t = target_of(z, x, y, first[r], size[r], w_t, h_t, g_x, g_y, reach[r], normal)
                    if t < lo or t >= hi:
                        continue
                    if fill:
                        idx[place] = t - lo
                        code[place] = codes[table[r], z & np.uint64(255)]
                        place += 1
                    else:
                        total += 1
            if not fill:
                ptr[cell * n_delays + d + 1] = total
    return total


@functools.cache
def stepper(stored: bool, two: bool, glif: bool, drive: bool, parallel: bool, most: int) -> Any:
    """The kernel of a form. two: currents of excitation and inhibition apart; drive: an input of every cell; most: of
    background events in one step that any cell gets."""
    thresholds = [f"t{q}" for q in range(most)]
    source = f"""
def step(steps, V, IE, II, ACC, A1, A2, until, hist, meta, count, start, rng_key,
         pop_of, pop_first, pop_base, pop_sign, seg_pop, seg_lo, seg_hi, seg_at, P, T, G, fit_of,
         bounds, delays, at, of, upto, first, size, wide, high, mean, table, reach, key, codes, level, normal,
         exact, counts, ptr, ptr_at, idx, code, unit, steady, heard, out_step, out_cell, found, events):
    # meta: step, head of the ring
    n_shards, slots, cap, n_d = bounds.size - 1, count.size, hist.size, delays.size
    spikes = 0
    N = V.size
    done = 0
    while done < steps and spikes + N <= out_step.size:
        k = meta[0]
        key_k = mix32(np.uint32(k) ^ rng_key)
        for sh in {"numba.prange" if parallel else "range"}(n_shards):
            lo, hi = bounds[sh], bounds[sh + 1]
            seen = np.int64(0)
            DELIVER
            events[sh] += seen
            fired = 0
            flag = np.empty({BLOCK}, np.uint8)
            words = flag.view(np.uint64)
            for s in range(seg_at[sh], seg_at[sh + 1]):
                p = seg_pop[s]
                p22, p21, p21i, dc, p11, p11i = P[p, 0], P[p, 1], P[p, 2], P[p, 3], P[p, 4], P[p, 5]
                theta, reset, w_bg, gain, p_spike = P[p, 6], P[p, 7], P[p, 8], P[p, 9], P[p, 10]
                still = np.int32(P[p, 11])
                {"; ".join(f"{t} = T[p, {q}]" for q, t in enumerate(thresholds)) or "pass"}
                for b in range(seg_lo[s], seg_hi[s], {BLOCK}):
                    e = min(b + {BLOCK}, seg_hi[s])
                    v, ie, ac, un = V[b:e], IE[b:e], ACC[b:e], until[b:e]
                    II_VIEWS
                    DRIVE_VIEW
                    c = False
                    UPDATE
                    if c:
                        flag[e - b:] = 0
                        for w in range(words.size):
                            if words[w] != 0:
                                for i in range(8 * w, 8 * w + 8):
                                    if flag[i] != 0 and un[i] <= k:
                                        j = b + i
                                        found[sh, fired] = j
                                        fired += 1
                                        RESET
            found[sh, found.shape[1] - 1] = fired
        slot = k % slots
        head = meta[1]
        start[slot] = head
        total = 0
        for sh in range(n_shards):
            fired = found[sh, found.shape[1] - 1]
            for m in range(fired):
                j = found[sh, m]
                if heard[j]:
                    hist[head] = j
                    head += 1
                    if head == cap: head = 0
                    total += 1
                out_step[spikes] = k
                out_cell[spikes] = j
                spikes += 1
        count[slot] = total
        meta[1] = head
        meta[0] = k + 1
        done += 1
    return done, spikes
"""
    each = """
            for d in range(n_d):
                slot = (k - delays[d]) % slots
                q = start[slot]
                for m in range(count[slot]):
                    cell = hist[q]
                    q += 1
                    if q == cap: q = 0
                    p = pop_of[cell]
                    sign = pop_sign[p]
                    base = BASE"""
    if stored:
        deliver = (
            """
            rows = 0
            for d in range(n_d):
                rows += count[(k - delays[d]) % slots]
            begin, end, where = np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int64)
            rows = 0"""
            + each.replace("BASE", "SIGNED")
            + """
                    o = ptr_at[sh] + np.int64(cell) * n_d + d
                    begin[rows], end[rows], where[rows] = ptr[o], ptr[o + 1], base
                    rows += 1
            for w in range(rows):
                if w + AHEAD < rows:
                    a, z = begin[w + AHEAD], end[w + AHEAD]
                    for e in range(a, z, 32):
                        prefetch(idx, e)
                    for e in range(a, z, 64):
                        prefetch(code, e)
                base = where[w]
                a, z = begin[w], end[w]
                seen += z - a
                SUMS"""
        )
        if two:
            sums = """for e in range(a, z):
                    ACC[base + idx[e]] += level[code[e]]"""
            deliver = deliver.replace("SIGNED", "(N if sign < 0 else 0) + lo")
        else:  # the sign rides on the place: below 0 is inhibitory
            sums = """if base >= 0:
                    for e in range(a, z):
                        ACC[base + idx[e]] += level[code[e]]
                else:
                    base = -1 - base
                    for e in range(a, z):
                        ACC[base + idx[e]] -= level[code[e]]"""
            deliver = deliver.replace("SIGNED", "lo if sign > 0 else -1 - lo")
        deliver = deliver.replace("SUMS", sums).replace("AHEAD", "6")
    else:
        deliver = (
            each.replace("BASE", "(N if sign < 0 else 0)" if two else "0")
            + """
                    s_first, s_size = pop_first[p], pop_first[p + 1] - pop_first[p]
                    r0, width = at[p * n_d], at[(p + 1) * n_d] - at[p * n_d]
                    if of[sh, p * n_d + d] == upto[sh, p * n_d + d]: continue
                    px, py = place_of(cell - s_first, s_size)
                    for r in range(of[sh, p * n_d + d], upto[sh, p * n_d + d]):
                        many_s = how_many(r, cell, s_first, r0, width, mean, key, exact, pop_base[p], counts)
                        ks = mix64(key[r] ^ (np.uint64(cell) * np.uint64(0xA24BAED4963EE407)))
                        w_t, h_t = wide[r], high[r]
                        g_x, g_y = 65536 // w_t, 65536 // h_t
                        for j in range(many_s):
                            z = mix64(ks + np.uint64(j + 1) * GOLD)
                            t = target_of(z, px, py, first[r], size[r], w_t, h_t, g_x, g_y, reach[r], normal)
                            if t < lo or t >= hi: continue
                            seen += 1
                            ACC[base + t] += SIGN level[codes[table[r], z & np.uint64(255)]]"""
        )
    deliver = deliver.replace("SIGN", "" if two else "sign *")
    views = "ii, ai = II[b:e], ACC[N + b:N + e]" if two else "pass"
    lines = ["for i in range(e - b):"]

    def line(text: str) -> None:
        lines.append("    " + text)

    line("y = v[i]; x = ie[i]")
    if drive:
        line("dv = dr[i]")
    line("h = mix32(np.uint32(b + i) ^ key_k)")
    if glif:
        line("g = fit_of[b + i]; a1 = A1[b + i]; a2 = A2[b + i]")
        line("ok = un[i] <= k")
        line(
            "nv = G[g, 0] * y + G[g, 1] * (x + P[p, 12] "
            + ("+ ii[i]" if two else "")
            + " + a1 + a2)"
            + (" + dv * (1 - G[g, 0])" if drive else "")
        )
        line("A1[b + i] = a1 * G[g, 3] if ok else a1; A2[b + i] = a2 * G[g, 4] if ok else a2")
        line("limit = G[g, 2]")
    else:
        line("ok = un[i] <= k")
        line("nv = p22 * y + p21 * x + dc" + (" + p21i * ii[i]" if two else "") + (" + gain * dv" if drive else ""))
        line("limit = theta")
    line("nv = nv if ok else y")
    if thresholds:
        line("c_bg = " + " + ".join(f"np.int32(h > {t})" for t in thresholds))
    line("ie[i] = p11 * x + np.float32(ac[i]) * unit" + (" + np.float32(c_bg) * w_bg" if thresholds else ""))
    line("ac[i] = 0")
    if two:
        line("ii[i] = p11i * ii[i] - np.float32(ai[i]) * unit")
        line("ai[i] = 0")
    line("v[i] = nv")
    if drive:  # cells that only pass on a rate, in Hz, as Poisson spikes
        line("f = (nv >= limit) if p_spike == 0 else (np.float32(h >> np.uint32(8)) < dv * p_spike)")
    else:
        line("f = nv >= limit")
    line("flag[i] = f; c |= f")
    pad = " " * 20
    update = ("\n" + pad).join(lines)
    if glif:
        put = "g = fit_of[j]; V[j] = G[g, 5]; until[j] = k + 1 + np.int32(G[g, 6])"
        put += "; A1[j] = A1[j] * G[g, 9] + G[g, 7]; A2[j] = A2[j] * G[g, 10] + G[g, 8]"
    else:
        put = "V[j] = reset; until[j] = k + 1 + still"
    source = source.replace("DELIVER", deliver.strip()).replace("II_VIEWS", views)
    source = source.replace("DRIVE_VIEW", "dr = steady[b:e]" if drive else "pass").replace("UPDATE", update)
    source = source.replace("RESET", put)
    space: dict[str, Any] = {
        "np": np, "numba": numba, "mix32": mix32, "mix64": mix64, "how_many": how_many, "target_of": target_of,
        "place_of": place_of,
        "GOLD": GOLD, "prefetch": prefetch,
    }  # fmt: skip
    exec(source, space)
    return numba.njit(nogil=True, fastmath=_FAST, parallel=parallel)(space["step"])
