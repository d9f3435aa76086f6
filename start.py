#!/usr/bin/env python3
"""Sets Bestiary up in its own environment and runs it; needs Python 3.11 or 3.12 with pip, and nothing else.

    python3 start.py demo       the closed-loop worm: progress bar, summary table, video, recording, plots
    python3 start.py test       the tests; what follows is given to pytest
    python3 start.py nightly    all tests, the minute-long ones too
    python3 start.py setup      only the environment
    python3 start.py bestiary   the command line, whatever follows: `python3 start.py bestiary list`
    python3 start.py python     the environment's Python, whatever follows

The environment is `.venv` beside this file (elsewhere with BESTIARY_VENV=FOLDER), from the locked versions in
`requirements/`. Once it is there nothing is downloaded again until a lock changes. BESTIARY_NO_APT=1 keeps the drawing
library from being installed.
"""

import ctypes.util
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

SUPPORTED = ("3.11", "3.12")
ROOT = os.path.dirname(os.path.abspath(__file__))
ENV = os.path.abspath(os.environ.get("BESTIARY_VENV") or os.path.join(ROOT, ".venv"))
BIN = os.path.join(ENV, "Scripts" if os.name == "nt" else "bin")
PYTHON = os.path.join(BIN, "python.exe" if os.name == "nt" else "python")
OURS = os.path.join(ENV, "made-by-start.py")  # first thing written: we may delete this folder
READY = os.path.join(ENV, "ready")  # last thing written: which lock, interpreter and place it was made for
DEMO = ["run", "worm", "--video", "--out", os.path.join("runs", "demo")]
DRAWING = ["libegl1", "libgl1", "libgl1-mesa-dri"]


def say(text):
    print("start.py: " + text, file=sys.stderr, flush=True)


def stop(text):
    say(text)
    sys.exit(1)


def version(python="", probe="import venv"):
    """ "3.11" of an interpreter that works, or ""."""
    code = probe + "; import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode().strip() if done.returncode == 0 else ""


def use_supported_python():
    """Goes on under a Python 3.11 or 3.12 found on PATH when this one is neither."""
    here = "{}.{}".format(*sys.version_info)
    if here in SUPPORTED:
        return
    for wanted in SUPPORTED:
        found = shutil.which("python" + wanted)
        if found and version(found) == wanted:
            say(f"this is Python {here}; going on with {found}")
            sys.exit(subprocess.call([found, os.path.abspath(__file__), *sys.argv[1:]]))
    stop(
        "this is Python {}, Bestiary needs {}, and neither was found on PATH. Install one "
        "(`apt-get install python3.12 python3.12-venv`, `pyenv install 3.12`, `uv python install 3.12`, or python.org) "
        "and run `python3.12 start.py {}`".format(here, " or ".join(SUPPORTED), " ".join(sys.argv[1:]))
    )


def lock_file():
    return os.path.join(ROOT, "requirements", "py{}{}.txt".format(*sys.version_info))


def fingerprint():
    """What the environment depends on; another place or interpreter makes another environment."""
    text = hashlib.sha256()
    for path in (lock_file(), os.path.join(ROOT, "pyproject.toml")):
        with open(path, "rb") as file:
            text.update(file.read())
    text.update(repr((ROOT, ENV, sys.version_info[:3])).encode())
    return text.hexdigest()


def read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def surroundings():
    """The environment of every command: one thread a process, and caches that can be written when HOME cannot."""
    here = dict(os.environ)
    here.pop("PYTHONHOME", None)
    here.pop("PYTHONPATH", None)
    here["VIRTUAL_ENV"] = ENV
    here["PATH"] = BIN + os.pathsep + here.get("PATH", "")
    home = os.path.expanduser("~")
    caches = [folder for folder in (os.path.join(home, ".cache"), home) if os.path.isdir(folder)]
    if not (caches and os.access(caches[0], os.W_OK)):
        cache = os.path.join(ENV if os.access(ENV, os.W_OK) else tempfile.gettempdir(), "cache")
        for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR", "BRAINEVENT_CACHE_DIR"):
            here.setdefault(name, cache)
    return here


def pip(arguments, env, total=0):
    """Runs pip; of its output only a line of progress is shown, and everything when it fails."""
    tool = [PYTHON, "-m", "pip"]
    if version(PYTHON, "import pip") == "":  # a Python without ensurepip (Debian without python3-venv): its own pip
        tool = [sys.executable, "-m", "pip", "--python", PYTHON]
    command = [*tool, "--no-input", "--disable-pip-version-check", *arguments]
    log, seen, bar = [], 0, sys.stderr.isatty()
    run = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)  # fmt: skip
    for raw in run.stdout:
        line = raw.decode(errors="replace").rstrip()
        log.append(line)
        if total and line.startswith(("Collecting ", "Processing ")):
            seen += 1
            text = "  {}/{} {}".format(seen, total, os.path.basename(line.split()[1]).split("==")[0][:40])
            if bar:
                print("\r" + text.ljust(60), end="", file=sys.stderr, flush=True)
            elif seen % 20 == 0 or seen == total:
                print(text, file=sys.stderr, flush=True)
        elif total and line.startswith("Installing collected"):
            print(("\r" if bar else "") + "  unpacking".ljust(60), file=sys.stderr, flush=True)
    if run.wait() != 0:
        print("\n".join(log[-40:]), file=sys.stderr)
        stop(f"pip failed (above). It needs a package index that can be reached, and about 2 GB of free disk at {ENV}; "
             "run the same command again once that is mended")  # fmt: skip


def setup():
    """Makes the environment, or finds it ready."""
    mark = fingerprint()
    if read(READY) == mark and os.path.exists(PYTHON):
        return
    if os.path.lexists(ENV) and not os.path.exists(OURS) and not (os.path.isdir(ENV) and not os.listdir(ENV)):
        stop(f"{ENV} was not made by start.py, so it is left alone: move it away, or name another place with "
             "BESTIARY_VENV=FOLDER")  # fmt: skip
    if os.path.exists(ENV):
        say("the environment is unfinished or of another lock; making it afresh")
        shutil.rmtree(ENV)
    say(f"setting up {ENV} from {os.path.relpath(lock_file(), ROOT)} (once; about a minute and 2 GB)")
    try:
        os.makedirs(ENV)
        with open(OURS, "w") as file:
            file.write("This folder may be deleted; start.py makes it again.\n")
    except OSError as error:
        stop(f"{ENV} cannot be written ({error}); name another place with BESTIARY_VENV=FOLDER")
    env = surroundings()
    has_pip = version(sys.executable, "import ensurepip") != ""
    made = [sys.executable, "-m", "venv", ENV] + ([] if has_pip else ["--without-pip"])
    if subprocess.call(made, env=env, stdin=subprocess.DEVNULL) != 0:
        stop("`python -m venv` failed (above); on Debian or Ubuntu `apt-get install python3-venv` mends it")
    total = sum(line[:1].isalnum() for line in read(lock_file()).splitlines())
    pip(["install", "--require-hashes", "--no-deps", "-r", lock_file()], env, total)
    pip(["install", "--no-deps", "--no-build-isolation", "-e", ROOT], env)
    with open(READY + ".new", "w") as file:
        file.write(mark)
    os.replace(READY + ".new", READY)
    say("ready")


def drawing_library():
    """Installs EGL, which draws without a display, where it is missing and we may; otherwise says what is missing."""
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not sys.platform.startswith("linux") or has_display or ctypes.util.find_library("EGL"):
        return
    hint = "no picture or video can be drawn here: `apt-get install {}` (Debian, Ubuntu) mends it".format(
        " ".join(DRAWING)
    )
    asked = os.path.join(ENV, "drawing-asked")  # one try for each environment: re-runs stay fast, and work offline
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    may = shutil.which("apt-get") and (root or quiet(["sudo", "-n", "true"], 10))
    if not may or os.environ.get("BESTIARY_NO_APT") or os.path.exists(asked):
        say("EGL is missing, going on without: " + hint)
        return
    say("installing {} for drawing without a display".format(" ".join(DRAWING)))
    tool = [] if root else ["sudo", "-n"]
    install = [*tool, "apt-get", "install", "-y", "-q", "--no-install-recommends", *DRAWING]
    done = quiet(install, 300) or (quiet([*tool, "apt-get", "update", "-q"], 120) and quiet(install, 300))
    if not done:
        say("that did not work, going on without: " + hint)
        with open(asked, "w") as file:
            file.write("delete this file to try again\n")


def quiet(command, limit_s):
    """Whether a command, its output hidden and nothing asked, succeeds within `limit_s` seconds."""
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    hide = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.run(command, timeout=limit_s, env=env, **hide).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tests(arguments, everything):
    command = [PYTHON, "-m", "pytest", *(["-m", "slow or not slow"] if everything else []), *arguments]
    split = [a for a in arguments if a.startswith(("-n", "--numprocesses", "--pdb", "-s", "--lf", "--collect"))]
    if not split and cores() > 1:
        command += ["-n", str(min(cores(), 8)), "--dist", "loadfile"]
    return command


def main(arguments):
    verb, rest = (arguments[0] if arguments else "help"), arguments[1:]
    commands = {
        "demo": lambda: [os.path.join(BIN, "bestiary"), *DEMO, *rest],
        "test": lambda: tests(rest, False),
        "nightly": lambda: tests(rest, True),
        "setup": lambda: None,
        "bestiary": lambda: [os.path.join(BIN, "bestiary"), *rest],
        "python": lambda: [PYTHON, *rest],
    }
    if verb not in commands:
        print(__doc__)
        return 0 if verb in ("help", "-h", "--help") else 2
    use_supported_python()
    setup()
    if verb in ("demo", "test", "nightly"):
        drawing_library()
    command, env = commands[verb](), surroundings()
    if command is None:
        return 0
    if verb in ("test", "nightly"):  # one process a core, one thread a process
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):
            env.setdefault(name, "1")
    try:
        return subprocess.call(command, cwd=ROOT if verb != "python" else None, env=env)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        stop("stopped; the same command goes on from here")
