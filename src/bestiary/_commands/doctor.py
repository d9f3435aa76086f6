"""`bestiary doctor`."""

from __future__ import annotations

from typing import Any

from bestiary._commands._show import Outcome
from bestiary.doctor import examine


def command(options: Any) -> Outcome:
    report = examine(quick=options.quick)
    return Outcome(report.as_dict(), str(report), 0 if report.ok else 1)
