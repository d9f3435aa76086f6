"""Bestiary: measured connectomes in physical bodies, in Gymnasium.

`animals(folder)` and `load(folder, name)` are the only lookup: the file name is the key. Importing this package
imports nothing heavy, not even numpy; `import gymnasium`, before or after, makes the ids of `bestiary._ids` known.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.abc
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from bestiary.interfaces._base import Animal
    from bestiary.interfaces._batch import AnimalBatch

__version__ = "0.1.0"
__all__ = ["__version__", "animal", "animals", "load", "nearest"]

_root = Path(__file__).resolve().parents[2]
if (_root / "pyproject.toml").is_file() and (_root / "bodies").is_dir():
    __path__.append(str(_root))  # a checkout: the packages stand at its root


def nearest(name: str, known: object, what: str = "name") -> str:
    """The end of an error message about an unknown name: the nearest known one, or a few that exist."""
    names = [str(k) for k in known]  # type: ignore[attr-defined]
    close = difflib.get_close_matches(name, names, 1, 0.5) or [n for n in names if n.lower() == name.lower()]
    if close:
        return f"did you mean {close[0]!r}?"
    return f"{what}s there are: {', '.join(names[:20])}{' ...' if len(names) > 20 else ''}"


def animals(folder: str = "bodies") -> list[str]:
    """Names of the animals (or tasks) that have a file in `folder`; files that begin with `_` are not animals."""
    for place in __path__:
        if (here := Path(place) / folder).is_dir():
            return sorted(p.stem for p in here.glob("*.py") if not p.stem.startswith("_"))
    raise LookupError(f"no folder {folder!r} in bestiary")


def load(folder: str, name: str) -> Any:
    """The module `bestiary.<folder>.<name>`. Raises LookupError with the nearest name."""
    if name not in (known := animals(folder)):
        raise LookupError(f"no {name!r} in {folder}/; {nearest(name, known)}")
    return importlib.import_module(f"bestiary.{folder}.{name}")


@overload
def animal(name: str, *, batch: int, **options: Any) -> AnimalBatch: ...
@overload
def animal(name: str, **options: Any) -> Animal: ...
def animal(name: str, *, batch: int | None = None, **options: Any) -> Any:
    """A closed-loop animal, brain and interface, as a policy with `reset` and `act`: see `interfaces/<name>.py`.

    batch: so many of them as one policy, an `interfaces/_batch.AnimalBatch`; see `build_many` there for its options.
    """
    load("bodies", name)
    if batch is not None:
        from bestiary.interfaces._batch import build_many

        return build_many(name, batch, **options)
    from bestiary.interfaces._base import build

    return build(name, **options)


class _RegisterAfterGymnasium(importlib.abc.MetaPathFinder):
    """Registers our ids when gymnasium is imported later than we are, without importing it ourselves."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != "gymnasium":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("gymnasium")
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            run(module)
            _register()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _register() -> None:
    from bestiary import _ids

    _ids.register()


if "gymnasium" in sys.modules:
    _register()
elif not any(type(f).__name__ == "_RegisterAfterGymnasium" for f in sys.meta_path):
    sys.meta_path.insert(0, _RegisterAfterGymnasium())
