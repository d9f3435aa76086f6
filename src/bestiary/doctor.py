"""What works on this machine: `examine()` reports and never raises; every trial that could crash runs in a child."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bestiary.errors import BestiaryError

# What the child prints on its last line is JSON. MuJoCo reads MUJOCO_GL at import, so each backend gets its own child.
_DRAW = """
import json, mujoco
model = mujoco.MjModel.from_xml_string('<mujoco><worldbody><light pos="0 0 3"/><geom size="1"/></worldbody></mujoco>')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 32, 32) as renderer:
    renderer.update_scene(data)
    print(json.dumps({"brightest": int(renderer.render().max())}))
"""
_JAX = """
import json, jax
jax.numpy.zeros(3).block_until_ready()
print(json.dumps([{"platform": d.platform, "kind": d.device_kind} for d in jax.devices()]))
"""
_BRAIN = "import json, brainpy, brainevent, numba; print(json.dumps(brainpy.__version__))"
_ROOT = Path(__file__).resolve().parents[2]  # of a checkout
_SETUP = "`python3 start.py setup`"
_DRAWING_FIX = "on Debian or Ubuntu `apt-get install libegl1 libgl1 libgl1-mesa-dri`; physics needs none of it"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. state: "ok", "limited" (something is lost) or "broken". fix: what to do."""

    name: str
    state: str
    value: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What `examine` found. facts: machine-readable details of the findings, by name."""

    findings: tuple[Finding, ...]
    facts: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether nothing is broken; limits do not count."""
        return all(f.state != "broken" for f in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: ok, findings, facts."""
        return {"ok": self.ok, "findings": [asdict(f) for f in self.findings], "facts": self.facts}

    def __str__(self) -> str:
        wide = max(len(f.name) for f in self.findings)
        lines = []
        for f in self.findings:
            lines.append(f"{f.state:7}  {f.name:{wide}}  {f.value}")
            if f.fix:
                lines.append(f"{'':7}  {'':{wide}}  -> {f.fix}")
        return "\n".join(lines)


def examine(*, quick: bool = False) -> Report:
    """Looks at interpreter, packages, drawing, JAX, brain stack, memory, disk and data.

    quick: leave out what starts other processes (drawing, JAX, brain), which takes seconds. Raises nothing: a look
    that fails is a finding of state "broken" with the error.
    """
    looks: list[Callable[[dict[str, Any]], Finding]] = [_python, _packages, _memory, _disk, _data]
    if not quick:
        looks[2:2] = [_drawing, _jax, _brain]
    facts: dict[str, Any] = {}
    findings = []
    for look in looks:
        name = look.__name__.strip("_")
        try:
            findings.append(look(facts))
        except BestiaryError as error:  # it names the fix itself
            findings.append(Finding(name, "broken", str(error)))
        except Exception as error:
            findings.append(Finding(name, "broken", f"{type(error).__name__}: {error}", "please report this"))
    return Report(tuple(findings), facts)


def _python(facts: dict[str, Any]) -> Finding:
    version = platform.python_version()
    facts["python"] = {"version": version, "executable": sys.executable, "system": platform.platform()}
    facts["python"]["cores"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    value = f"{version} on {platform.platform()}, {facts['python']['cores']} cores"
    if sys.version_info[:2] in ((3, 11), (3, 12)):
        return Finding("python", "ok", value)
    return Finding("python", "limited", value, "the tested versions are 3.11 and 3.12: `python3.12 start.py setup`")


def _packages(facts: dict[str, Any]) -> Finding:
    """What `pyproject.toml` asks for against what is installed, and, in a checkout, against the lock."""
    from packaging.requirements import Requirement

    asked = [Requirement(r) for r in _asked()]
    missing, wrong, installed = [], [], {}
    for need in asked:
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            installed[need.name] = version = importlib.metadata.version(need.name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(str(need))
            continue
        if not need.specifier.contains(version, prereleases=True):
            wrong.append(f"{need.name} {version} (wanted {need.specifier})")
    locked = _lock()
    drifted = {n: [v, here] for n, v in locked.items() if (here := _version(n)) is not None and here != v}
    facts["packages"] = {"installed": installed, "missing": missing, "wrong": wrong, "not_as_locked": drifted}
    value = ", ".join(f"{n} {installed[n]}" for n in ("mujoco", "gymnasium", "jax", "brainpy") if n in installed)
    if missing or wrong:
        return Finding("packages", "broken", "; ".join(missing + wrong), "`python3 start.py setup` in a fresh checkout")
    if drifted:
        some = ", ".join(f"{n} {here} (lock {v})" for n, (v, here) in list(drifted.items())[:4])
        said = f"{value}; {len(drifted)} differ from the lock: {some}"
        return Finding(
            "packages", "limited", said, "`python3 start.py setup` makes an environment with the locked ones"
        )
    return Finding("packages", "ok", f"{value}; {'as locked' if locked else 'in range, no lock at hand'}")


def _asked() -> list[str]:
    """What the installed package asks for; in a checkout that is not installed, what `pyproject.toml` does."""
    try:
        return importlib.metadata.requires("bestiary") or []
    except importlib.metadata.PackageNotFoundError:
        project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return list(project["dependencies"])


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _lock() -> dict[str, str]:
    """Versions of the lock of this Python; empty outside a checkout."""
    here = _ROOT / "requirements" / "py{}{}.txt".format(*sys.version_info)
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", here.read_text(), re.M)) if here.is_file() else {}


def _drawing(facts: dict[str, Any]) -> Finding:
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or ""
    asked = os.environ.get("MUJOCO_GL")
    linux = sys.platform.startswith("linux")
    backends = [asked] if asked else ["glfw"] * bool(display or not linux) + ["egl", "osmesa"] * linux
    tried: dict[str, str] = {}
    facts["drawing"] = {"display": display, "MUJOCO_GL": asked, "tried": tried, "works": None}
    for backend in backends:
        bright, problem = _child(_DRAW, MUJOCO_GL=backend)
        tried[backend] = problem or "ok"
        if not problem and bright["brightest"] > 0:
            facts["drawing"]["works"] = backend
            return Finding("drawing", "ok", f"a 32 x 32 frame by {backend}, display {display or 'none'}")
    value = "; ".join(f"{backend}: {problem}" for backend, problem in tried.items())
    return Finding("drawing", "limited", f"no pictures or video ({value})", _DRAWING_FIX)


def _jax(facts: dict[str, Any]) -> Finding:
    devices, problem = _child(_JAX)
    facts["jax"] = {"devices": devices or [], "problem": problem}
    if problem:
        return Finding("jax", "broken", problem, _SETUP)
    value = ", ".join(f"{d['platform']} ({d['kind']})" for d in devices)
    if shutil.which("nvidia-smi") and all(d["platform"] == "cpu" for d in devices):
        return Finding(
            "jax", "limited", f"{value}; an NVIDIA driver is here and is not used", "`pip install jax[cuda]`"
        )
    return Finding("jax", "ok", value)


def _brain(facts: dict[str, Any]) -> Finding:
    version, problem = _child(_BRAIN)
    facts["brain"] = {"brainpy": version, "problem": problem}
    if problem:
        fix = "set BRAINEVENT_CACHE_DIR to a folder that can be written" if "Permission" in problem else _SETUP
        return Finding("brain", "broken", problem, fix)
    return Finding("brain", "ok", f"brainpy {version} with brainevent and numba")


def _memory(facts: dict[str, Any]) -> Finding:
    free = None
    if (meminfo := Path("/proc/meminfo")).is_file():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    facts["memory"] = {"available_bytes": free}
    if free is None:
        return Finding("memory", "ok", "not known on this system")
    low = free < 2e9
    fix = "the worm needs 1.5 GB, the whole fly brain 1 GB more" if low else ""
    return Finding("memory", "limited" if low else "ok", f"{free / 1e9:.1f} GB available", fix)


def _disk(facts: dict[str, Any]) -> Finding:
    from bestiary.assets import registry

    cache = registry.cache_folder()
    there = next(p for p in (cache, *cache.parents) if p.exists())
    free, writable = shutil.disk_usage(there).free, os.access(there, os.W_OK)
    facts["disk"] = {"cache": str(cache), "free_bytes": free, "writable": writable}
    value = f"{free / 1e9:.1f} GB free for the cache {cache}"
    if not writable:
        return Finding("disk", "limited", f"{cache} cannot be written", "set BESTIARY_CACHE to a folder that can")
    low = free < 1e9
    return Finding("disk", "limited" if low else "ok", value, "set BESTIARY_CACHE to a larger disk" if low else "")


def _data(facts: dict[str, Any]) -> Finding:
    from bestiary.assets import registry

    names = [e.name for e in registry.entries()]
    found = [n for n in names if registry.found(n)]
    missing = [n for n in names if n not in found]
    folder = registry.data_folder()
    facts["data"] = {"BESTIARY_DATA": folder and str(folder), "found": found, "missing": missing}
    value = f"{len(found)} of {len(names)} large data sets found"
    if missing:
        value += f"; without {', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''}"
    return Finding("data", "ok", value, "`bestiary data list` says what each unlocks" if missing else "")


def _child(code: str, **environment: str) -> tuple[Any, str]:
    """(what `code` printed as JSON on its last line, "") or (None, what went wrong) of a child process."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            last = done.stderr.strip().splitlines() or [f"died with status {done.returncode}"]
            return None, last[-1][:200]
        return json.loads(done.stdout.strip().splitlines()[-1]), ""
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        return None, f"{type(error).__name__}: {error}"[:200]
