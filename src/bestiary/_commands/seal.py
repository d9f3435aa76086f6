"""`bestiary seal RECORDING FOLDER`."""

from __future__ import annotations

from typing import Any

from bestiary._commands._show import Outcome
from bestiary._commands.turing import needed
from bestiary.errors import BestiaryError


def command(options: Any) -> Outcome:
    if options.every < 1:
        raise BestiaryError(f"every must be at least 1, got {options.every}")
    needed()
    from bestiary.tasks.turing.sealed import DEV, KEY, SEALED, seal

    found = seal(options.recording, options.out, options.share, options.every)

    def told(part: dict[str, int]) -> str:
        return ", ".join(f"{n} of {lab}" for lab, n in part.items())

    text = [
        f"{options.out}/{DEV}: {told(found['dev'])}, to develop with",
        f"{options.out}/{SEALED}: {told(found['sealed'])}, sealed (sha256 {found['sha256'][:16]})",
        f"{options.out}/{KEY}: take it away from whoever writes models",
        f"to score one: bestiary turing ANIMAL --policy FILE.py:NAME --sealed {options.out}/{SEALED} --key {KEY}",
    ]
    return Outcome(found, "\n".join(text))
