"""A recording in two: animals to develop with, and sealed ones that only its keeper can score a model on.

A model is fitted and looked at on what is public; how well it does on animals, and on a laboratory, that nobody has
tuned to is asked seldom, and each time is counted. The sealed part is encrypted, so that a policy, or who wrote it, can
read it neither during an examination nor before.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from cryptography.fernet import Fernet, InvalidToken

from bestiary.errors import DataError
from bestiary.tasks.turing import checks, readers
from bestiary.tasks.turing.contract import VERSION
from bestiary.tasks.turing.guard import CANARY, guarded, seek_canary
from bestiary.tasks.turing.ledger import Ledger
from bestiary.tasks.turing.own import against
from bestiary.tasks.turing.policies import Candidate
from bestiary.tasks.turing.series import Cohort, Series
from bestiary.tasks.turing.sources import plan

DEV, SEALED, KEY = "dev.h5", "sealed.bin", "sealed.key"
_MAGIC = f"bestiary sealed recording 1, {CANARY}\n".encode()


def split(cohort: Cohort, key: bytes, share: float = 0.5) -> tuple[list[int], list[int]]:
    """(rows to develop with, rows that are sealed). Of two laboratories or more one is sealed as a whole; of the
    animals of the others, and of a single laboratory, a share. The key draws them: nobody can choose.

    Raises DataError where fewer than two animals would be on a side.
    """
    if not 0 < share < 1:
        raise DataError(f"the share of sealed animals lies between 0 and 1, got {share:g}")

    def draw(*what: str) -> bytes:
        return hmac.new(key, "/".join(what).encode(), hashlib.sha256).digest()

    labs = sorted({a.lab for a in cohort.animals}, key=draw)
    sealed = [i for i, a in enumerate(cohort.animals) if len(labs) > 1 and a.lab == labs[0]]
    for lab in labs[len(labs) > 1 :]:
        mine = [i for i, a in enumerate(cohort.animals) if a.lab == lab]
        sealed += sorted(mine, key=lambda i: draw(lab, cohort.animals[i].name))[: round(share * len(mine))]
    dev = [i for i in range(len(cohort)) if i not in sealed]
    if min(len(dev), len(sealed)) < 2:
        raise DataError(f"{len(dev)} animals to develop with and {len(sealed)} sealed: two are needed on each side")
    return dev, sorted(sealed)


def seal(recording: str | Path, folder: str | Path, share: float = 0.5, every: int = 1) -> dict[str, Any]:
    """Writes dev.h5, which is public, sealed.bin, which may be, and sealed.key, which its keeper takes away.

    recording, every: of `readers.read`; laboratories are its column or attribute `lab`. Returns what is in each part.
    Raises DataError for a recording that `checks` refuses, and where the folder holds a sealed set already.
    """
    folder = Path(folder)
    cohort = readers.read(recording, every)
    checks.insist(cohort)
    if (folder / SEALED).exists():
        raise DataError(f"{folder / SEALED} is there already: a sealed set is drawn once")
    key = Fernet.generate_key()
    dev, sealed = split(cohort, key, share)
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / DEV, "w") as file:
        file.attrs["canary"] = CANARY
        for i in dev:
            _write(file.create_group(cohort.animals[i].name), cohort.animals[i])
    (folder / SEALED).write_bytes(_MAGIC + Fernet(key).encrypt(_packed(cohort.take(sealed))))
    path = folder / KEY
    path.touch(mode=0o600)
    path.write_bytes(key + b"\n")
    labs = [Counter(cohort.animals[i].lab or "one laboratory" for i in rows) for rows in (dev, sealed)]
    return {"dev": dict(labs[0]), "sealed": dict(labs[1]), "folder": str(folder), "sha256": digest(folder / SEALED)}


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def opened(file: str | Path, key_file: str | Path) -> Cohort:
    """The sealed animals. DataError for a file that is no sealed set or was changed, and for another's key."""
    path, at = Path(file), Path(key_file)
    for p in (path, at):
        if not p.is_file():
            raise DataError(f"no file {p}; `bestiary seal` writes {SEALED} and {KEY}")
    raw = path.read_bytes()
    if not raw.startswith(_MAGIC):
        raise DataError(f"{path} is no sealed recording")
    try:
        keyed = Fernet(at.read_bytes().strip())
    except ValueError:
        raise DataError(f"{at} holds no key: {KEY}, which `bestiary seal` wrote, does") from None
    try:
        return _unpacked(keyed.decrypt(raw[len(_MAGIC) :]))
    except InvalidToken:
        raise DataError(f"{at} is not the key of {path}, or the file was changed") from None


def _write(group: h5py.Group, a: Series) -> None:
    """As `readers` reads it."""
    group["values"] = a.values
    group.attrs.update(rate_Hz=a.rate_Hz, channels=list(a.channels), lab=a.lab)
    if a.stimulus is not None:
        group["stimulus"] = a.stimulus


def _packed(cohort: Cohort) -> bytes:
    told = [{"name": a.name, "lab": a.lab, "rate_Hz": a.rate_Hz, "channels": a.channels} for a in cohort.animals]
    arrays = {f"values {i}": a.values for i, a in enumerate(cohort.animals)}
    arrays |= {f"stimulus {i}": a.stimulus for i, a in enumerate(cohort.animals) if a.stimulus is not None}
    out = io.BytesIO()
    meta = json.dumps({"source": cohort.source, "animals": told}).encode()
    np.savez_compressed(out, meta=np.frombuffer(meta, np.uint8), **arrays)  # type: ignore[arg-type]  # numpy's stub
    return out.getvalue()


def _unpacked(text: bytes) -> Cohort:
    with np.load(io.BytesIO(text), allow_pickle=False) as kept:
        meta = json.loads(kept["meta"].tobytes())
        animals = tuple(
            Series(
                told["name"],
                told["rate_Hz"],
                kept[f"values {i}"],
                tuple(told["channels"]),
                kept[f"stimulus {i}"] if f"stimulus {i}" in kept.files else None,
                lab=told["lab"],
            )
            for i, told in enumerate(meta["animals"])
        )
    return Cohort(animals, f"{meta['source']}, sealed animals")


def score(
    animal: str,
    file: str | Path,
    key_file: str | Path,
    *,
    policy: str = "",
    parameters: str = "",
    out: str | Path | None = None,
    seconds: float = 60.0,
    seed: int = 0,
    ledger: Ledger | None = None,
) -> dict[str, Any]:
    """Level D of a policy (see `policies.Candidate`) against sealed animals, in the world of the animal's plan. Every
    call leaves a line in the ledger: `scored` counts those of this model and of all models on this set.

    Raises DataError (set, key, a model made from reference data) and GuardError for a policy that reaches for them.
    """
    cohort = opened(file, key_file)
    candidate = Candidate(animal, policy, parameters)
    seek_canary(candidate.files())
    with guarded([file, key_file] if candidate.own else []):
        built = candidate.build()
    model, book, name = candidate.digest(built), ledger or Ledger.standard(), f"sealed {digest(Path(file))[:16]}"
    book.add(animal, model, [name], VERSION, seed)
    mine = [line["model"] for line in book.lines() if name in line["tests"]]
    options = {k: v for k, v in plan(animal).get("behaviour", {}).items() if k in ("medium", "smooth_s", "out_Hz")}
    results = against(cohort, animal, built, seconds=seconds, seed=seed, out=out, protect=(file, key_file), **options)
    return {"results": results, "set": name, "animals": len(cohort), "scored": (mine.count(model), len(mine))}
