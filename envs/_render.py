"""Pictures of a model: without a display through EGL, chosen here and not by an environment variable that we set."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import time
import weakref
from typing import Any

import mujoco
import numpy as np

from bestiary.bodies._base import Array
from bestiary.errors import RenderError

_INSTALL = {
    "egl": "install EGL (Debian, Ubuntu: `apt-get install libegl1 libgl1-mesa-dri`), or set MUJOCO_GL=osmesa",
    "osmesa": "install OSMesa (Debian, Ubuntu: `apt-get install libosmesa6`), or set MUJOCO_GL=egl",
    "glfw": "run with a display, or set MUJOCO_GL=egl to draw without one",
}


def has_display() -> bool:
    """Whether a window could be opened: on Linux an X or Wayland display is named; elsewhere assumed."""
    return not sys.platform.startswith("linux") or any(os.environ.get(v) for v in ("DISPLAY", "WAYLAND_DISPLAY"))


def backend() -> str:
    """The drawing backend: MUJOCO_GL where the user set it; otherwise glfw with a display, EGL without one."""
    asked = os.environ.get("MUJOCO_GL", "").lower().strip()
    if asked in ("egl", "osmesa", "glfw", "cgl"):
        return asked
    if asked in ("disable", "disabled", "off", "false", "0"):
        raise RenderError(f"MUJOCO_GL={asked} forbids drawing; unset it, or set MUJOCO_GL=egl")
    if sys.platform == "darwin":
        return "cgl"
    return "glfw" if has_display() else "egl"


def _context(name: str, width: int, height: int) -> Any:
    try:
        if name == "egl":
            from mujoco.egl import GLContext
        elif name == "osmesa":
            from mujoco.osmesa import GLContext
        elif name == "cgl":
            from mujoco.cgl import GLContext
        else:
            from mujoco.glfw import GLContext
        context = GLContext(width, height)
        context.make_current()
    except Exception as error:  # each backend fails in its own way: ImportError, AttributeError, GLError, ...
        fix = _INSTALL.get(name, "set MUJOCO_GL to a backend that works here")
        raise RenderError(f"cannot draw with {name} ({type(error).__name__}: {error}); {fix}") from error
    return context


class Picture:
    """An off-screen camera on a model. height, width: pixels, at most the model's offheight and offwidth.

    Raises RenderError where nothing can be drawn.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        self._model = model
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._gl = _context(backend(), width, height)
        self._scene = mujoco.MjvScene(model, 2000)
        self._option = mujoco.MjvOption()
        try:
            self._mjr = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_150.value)
        except mujoco.FatalError as error:
            self._gl.free()
            raise RenderError(f"cannot draw {width} x {height} pixels ({error}); ask for fewer") from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._mjr)
        # an environment that nobody closed must be freed before EGL is, or the exit of Python is noisy
        self._at_exit = functools.partial(_close, weakref.ref(self))
        atexit.register(self._at_exit)

    def draw(self, data: mujoco.MjData, camera: mujoco.MjvCamera) -> Array:
        """The picture (height, width, 3) uint8."""
        self._gl.make_current()
        every = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(self._model, data, self._option, None, camera, every, self._scene)
        mujoco.mjr_render(self._rect, self._scene, self._mjr)
        pixels = np.empty((self._rect.height, self._rect.width, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, self._rect, self._mjr)
        return np.ascontiguousarray(pixels[::-1])

    def close(self) -> None:
        """Frees the graphics memory; a second call does nothing."""
        if self._gl is not None:
            self._gl.make_current()
            self._mjr.free()
            self._gl.free()
            self._gl = None
            atexit.unregister(self._at_exit)


def _close(picture: weakref.ref[Picture]) -> None:
    if (open_one := picture()) is not None:
        open_one.close()


class Window:
    """The interactive viewer, paced so that one second of life lasts `slow_motion` seconds. Raises RenderError."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, camera: mujoco.MjvCamera) -> None:
        check_window()
        import mujoco.viewer

        try:
            self._viewer = mujoco.viewer.launch_passive(model, data, show_left_ui=False, show_right_ui=False)
        except Exception as error:
            raise RenderError(f"cannot open a window ({error}); use render_mode='rgb_array'") from error
        for name in ("type", "fixedcamid", "lookat", "distance", "azimuth", "elevation"):
            setattr(self._viewer.cam, name, getattr(camera, name))
        self._next = time.monotonic()

    def draw(self, period_s: float, lookat: Array | None) -> None:
        """Shows the present state and waits until `period_s` after the last call is over."""
        if not self._viewer.is_running():
            return
        if lookat is not None:
            self._viewer.cam.lookat = lookat
        self._viewer.sync()
        now = time.monotonic()
        self._next = max(self._next + period_s, now)
        time.sleep(self._next - now)

    def close(self) -> None:
        self._viewer.close()


def check_window() -> None:
    """Raises RenderError where no window can be opened."""
    if not has_display():
        raise RenderError(
            "render_mode='human' needs a display and neither DISPLAY nor WAYLAND_DISPLAY is set; "
            "use render_mode='rgb_array' and write a video, or run under `xvfb-run`"
        )
