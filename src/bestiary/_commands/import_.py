"""`bestiary import FILE`."""

from __future__ import annotations

from typing import Any

from bestiary._commands._show import Outcome, table, words
from bestiary.errors import BestiaryError


def command(options: Any) -> Outcome:
    from bestiary.brains.connectome import read_connectome, write_connectome

    columns = {}
    for text in words(options.column):
        ours, _, theirs = text.partition("=")
        if not ours or not theirs:
            raise BestiaryError(f"cannot read the column {text!r}; write OURS=THEIRS, pre=Presynaptic_ID")
        columns[ours] = theirs
    got = read_connectome(
        options.file, options.neurons, columns=columns or None, signed=options.signed, rows=options.rows
    )
    report = {
        "file": options.file,
        "neurons": len(got),
        "edges": got.n_edges,
        "kinds": got.kind.counts(),
        "signs": {str(s): int((got.sign == s).sum()) for s in (-1, 0, 1)},
        "provenance": got.provenance.counts(),
        "weight": {"sum": float(got.weight.sum()), "most": float(got.weight.max(initial=0))},
        "columns": sorted(got.extra),
        "out": options.out,
    }
    rows: list[tuple[Any, ...]] = [("neurons", len(got)), ("edges", got.n_edges)]
    rows += [(f"edges of kind {kind}", count) for kind, count in report["kinds"].items()]
    rows += [(f"edges of sign {sign}", count) for sign, count in report["signs"].items() if count]
    text = f"{options.file}\n{table(rows)}"
    if options.out is not None:
        write_connectome(got, options.out)
        text += f"\n  written to {options.out}"
    return Outcome(report, text)
