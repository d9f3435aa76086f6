"""What `import bestiary` costs, the ids whichever comes first, and what a wheel holds."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["assets", "bodies", "brains", "envs", "interfaces", "tasks"]


def run(code: str) -> str:
    """Standard output of a fresh interpreter in an empty place."""
    env = dict(os.environ, PYTHONPATH=str(ROOT / "src"))
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_light_and_silent():
    heavy = "numpy gymnasium mujoco jax brainpy brainstate scipy matplotlib dm_control numba".split()  # noqa: SIM905
    assert run(f"import bestiary, sys; print(sorted(set({heavy!r}) & set(sys.modules)))") == "[]"
    assert run("import bestiary; bestiary.animals('tasks')") == ""


def test_looking_up_an_id_needs_no_brain():
    heavy = "brainpy brainstate jax".split()  # noqa: SIM905
    code = f"import gymnasium, bestiary, sys; gymnasium.spec('bestiary/WormCrawl-v0'); print([m for m in {heavy!r} if m in sys.modules])"  # noqa: E501
    assert run(code) == "[]"


def test_clocks_streams_and_brains_need_no_physics():
    heavy = "gymnasium mujoco jax matplotlib".split()  # noqa: SIM905
    code = "import sys, bestiary.envs._clock, bestiary.envs._streams, bestiary.brains.connectome, bestiary.envs"
    assert run(f"{code}\nprint([m for m in {heavy!r} if m in sys.modules])") == "[]"
    assert run("from bestiary.envs import *; print(EmbodiedEnv.__name__, stream.__name__, Clock.__name__)") == (
        "EmbodiedEnv stream Clock"
    )


@pytest.mark.parametrize(
    "before",
    [
        "import bestiary, gymnasium",
        "import gymnasium, bestiary",
        "import bestiary\nimport gymnasium.spaces",
        "import bestiary\nfrom gymnasium import wrappers\nimport gymnasium",
        "import gymnasium, importlib, bestiary\nimportlib.reload(bestiary)",
        "import bestiary, importlib\nimportlib.reload(bestiary)\nimport gymnasium",
    ],
)
def test_ids_are_known_whichever_comes_first(before):
    code = "\nfrom bestiary._ids import IDS\nprint(sorted(set(IDS) - set(gymnasium.registry)), len(IDS) > 3)"
    assert run(before + code) == "[] True"


def test_module_prefix_finds_the_id_without_import():
    # `gymnasium.make` looks the name up so; `gymnasium.spec` does not know prefixes
    code = "from gymnasium.envs.registration import _find_spec as find; spec = find('bestiary:bestiary/WormCrawl-v0')"
    code += "; print(spec.id, spec.entry_point)"
    assert run(code).split() == ["bestiary/WormCrawl-v0", "bestiary.envs:EmbodiedEnv"]


def test_an_id_that_is_wrong_gets_the_nearest():
    code = "import gymnasium, bestiary\ntry: gymnasium.make('bestiary/WormCrall-v0')\nexcept Exception as e: print(e)"
    assert "WormCrawl" in run(code)


def test_type_checkers_see_the_packages():
    here, source = ROOT / "typings" / "bestiary", ROOT / "src" / "bestiary"
    modules = {p.name: p for p in source.glob("*.py")} | {p.parent.name: p.parent for p in source.glob("*/__init__.py")}
    assert {p.name: p.resolve() for p in here.iterdir()} == modules | {name: ROOT / name for name in PACKAGES}, (
        "add a link: ln -s ../../src/bestiary/NEW typings/bestiary/NEW"
    )


def test_packages_are_those_of_the_root():
    code = "print(importlib.import_module('bestiary.' + p).__path__[0])"
    places = run(f"import bestiary, importlib\nfor p in {PACKAGES!r}: {code}")
    assert [Path(p) for p in places.splitlines()] == [ROOT / name for name in PACKAGES]


@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="needs hatchling (extra `dev`)")
def test_wheel_from_sdist_holds_every_tracked_file(tmp_path):
    def build(kind: str, where: Path) -> Path:
        command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(tmp_path)]
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return next(tmp_path.glob("*.tar.gz" if kind == "sdist" else "*.whl"))

    safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # since 3.11.4
    shutil.unpack_archive(build("sdist", ROOT), tmp_path / "out", **safe)
    with zipfile.ZipFile(build("wheel", next((tmp_path / "out").iterdir()))) as wheel:
        held = set(wheel.namelist())
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    if tracked == [""]:
        pytest.skip("not a git checkout")
    wanted = {f"bestiary/{f}" for f in tracked if f.split("/")[0] in PACKAGES}
    wanted |= {f.removeprefix("src/") for f in tracked if f.startswith("src/")}
    assert len(wanted) > 10 and wanted <= held, sorted(wanted - held)
    assert not any("__pycache__" in name or "typings" in name for name in held)
