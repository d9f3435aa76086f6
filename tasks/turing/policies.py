"""Who is examined: an animal that ships, one of its controls, or a policy of the user's own."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bestiary
from bestiary import assets
from bestiary.errors import BestiaryError, DataError
from bestiary.tasks.turing import learned


@dataclass(frozen=True)
class Candidate:
    """policy: "" for the animal as it ships, the name of a control, "learned" (K15), or "FILE.py:NAME" of a factory.
    parameters: a file of `bestiary fit`, or "".

    A factory is called with the keywords it takes among animal, lesion, silence, stimulate, control and control_seed,
    and returns anything with `reset(episode_seed)` and `act(obs)`. One that takes `lesion` and `stimulate` has neurons
    to perturb; one that does not is predicted to answer nothing when neurons are.
    """

    animal: str
    policy: str = ""
    parameters: str = ""

    @property
    def own(self) -> bool:
        """Whether it is no animal of ours: it has no wiring that could be cut or shuffled."""
        return ":" in self.policy or self.policy == "learned"

    def _factory(self) -> Any:
        path, _, name = self.policy.rpartition(":")
        if not Path(path).is_file():
            raise DataError(f"no file {path}; --policy is a control, or FILE.py:NAME")
        spec = importlib.util.spec_from_file_location(f"policy_{Path(path).stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if not hasattr(module, name):
            known = [n for n in vars(module) if not n.startswith("_")]
            raise DataError(f"{path} has no {name!r}; {bestiary.nearest(name, known)}")
        return getattr(module, name)

    def build(self, **options: Any) -> Any:
        """A policy. options: as of `bestiary.animal`. Raises BestiaryError for a factory that gives none."""
        if self.policy == "learned":
            return learned.load(self.animal)
        if not self.own:
            chosen = {"control": self.policy} if self.policy and "control" not in options else {}
            return bestiary.animal(
                self.animal, **({"parameters": self.parameters} if self.parameters else {}), **chosen, **options
            )
        factory = self._factory()
        takes = inspect.signature(factory).parameters
        every = any(p.kind is p.VAR_KEYWORD for p in takes.values())
        given = {"animal": self.animal, **options}
        policy = factory(**{k: v for k, v in given.items() if every or k in takes})
        if not (hasattr(policy, "reset") and hasattr(policy, "act")):
            raise BestiaryError(
                f"{self.policy} gave {type(policy).__name__}; a policy has reset(episode_seed) and act(obs)"
            )
        return policy

    def takes(self, option: str) -> bool:
        """Whether an option reaches the policy."""
        if not self.own:
            return True
        if self.policy == "learned":
            return False
        takes = inspect.signature(self._factory()).parameters
        return option in takes or any(p.kind is p.VAR_KEYWORD for p in takes.values())

    def capabilities(self, policy: Any) -> tuple[str, ...]:
        """What a built policy offers: "neurons" (named, to light up and to read), "forecast"."""
        out = []
        if all(hasattr(policy, k) for k in ("index", "shine", "probe", "names", "get_state", "set_state")):
            out.append("neurons")
        if hasattr(policy, "forecast"):
            out.append("forecast")
        return tuple(out)

    def files(self) -> list[Path]:
        """What the model is made of on the disk."""
        out = [Path(self.parameters)] if self.parameters else []
        if self.policy == "learned":
            return [Path(learned.__file__), *filter(None, [assets.find(self.animal, learned.FILE)])]
        if self.own:
            path = Path(self.policy.rpartition(":")[0])
            return [*out, *sorted(p for p in path.parent.glob(path.stem + "*") if p.is_file())]
        for place in map(Path, bestiary.__path__):
            out += [p for f in ("bodies", "brains", "interfaces") if (p := place / f / f"{self.animal}.py").is_file()]
            if (tables := place / "assets" / self.animal).is_dir():
                kept = ("turing.toml", "perturbations.csv", "assays.toml", learned.FILE)
                out += sorted(p for p in tables.iterdir() if p.is_file() and p.name not in kept)
        return out

    def digest(self, policy: Any = None) -> str:
        """sha256 of its files, name and, of a built policy, its parameters."""
        out = hashlib.sha256(json.dumps([self.animal, self.policy.rpartition("/")[2], bestiary.__version__]).encode())
        for file in self.files():
            out.update(file.read_bytes())
        about = getattr(policy, "about", None)
        if isinstance(about, Mapping):
            out.update(json.dumps(about.get("parameters"), sort_keys=True, default=str).encode())
        return out.hexdigest()
