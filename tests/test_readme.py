"""The README's Python runs as it stands, and its tables name what there is."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import bestiary
from bestiary._ids import IDS
from bestiary.assets import registry
from bestiary.cli import main
from bestiary.interfaces._controls import CONTROLS

README = Path(__file__).resolve().parents[1] / "README.md"
PAGES = [README, *sorted(README.parent.glob("*/README.md"))]
pytestmark = pytest.mark.skipif(not README.is_file(), reason="README.md is part of a checkout, not of an installation")


def test_its_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "worm", "--seconds", "0.3", "--no-video", "--no-plots", "--out", "runs/demo"]) == 0
    blocks = [b for page in PAGES for b in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)]
    assert len(blocks) >= 3
    if (data := README.parents[1] / "shared" / "data").is_dir():
        monkeypatch.setenv("BESTIARY_DATA", os.environ.get("BESTIARY_DATA") or str(data))
    for block in blocks:
        if 'stimulate("p9"' in block and not registry.found("fly-p9"):
            continue
        exec(compile(block, str(README), "exec"), {})


@pytest.mark.parametrize("what", ["environments", "controls", "components", "senses", "media"])
def test_its_tables_are_complete(what):
    from bestiary.bodies._medium import MEDIA

    names = {
        "environments": IDS,
        "controls": CONTROLS,
        "components": [
            c for name in bestiary.animals("interfaces") for c in bestiary.load("interfaces", name).COMPONENTS
        ],
        "senses": [s.name for name in bestiary.animals() for s in bestiary.load("bodies", name).BODY().senses],
        "media": MEDIA,
    }[what]
    text = "".join(page.read_text("utf-8") for page in PAGES)
    missing = [name for name in names if f"`{name}`" not in text]
    assert not missing, f"{what} that the README does not name: {missing}"
