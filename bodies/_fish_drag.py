"""The drag of water on a larval fish: anisotropic, viscous plus quadratic, with an optional added-mass reaction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from bestiary import nearest
from bestiary.bodies._fish_shape import sections
from bestiary.errors import MediumError

if TYPE_CHECKING:
    from bestiary.bodies.zebrafish import Zebrafish

Array = np.ndarray[Any, np.dtype[Any]]

WATER_KG_PER_M3, _WATER_PA_S = 1000.0, 1e-3
ALONG = (0, 3, 6, 9)  # links that carry the drag along the body, and
UP = (0, 4, 8)  # the drag up and down: the totals do not depend on how many


def add_drag(spec: mujoco.MjSpec, body: Zebrafish) -> None:
    """Actuators on sites whose force is -(c + q control) v along an axis of a link; `Zebrafish.before_step` gives |v|.

    MuJoCo integrates it implicitly (linearised drag), so that it is stable at any step.
    """
    for name, axis, linear, square, _ in resistance(body, body.medium):
        gear = np.zeros(6)
        gear[axis] = 1
        drag = spec.add_actuator(
            name=name,
            trntype=mujoco.mjtTrn.mjTRN_SITE,
            target=name.split("_", 1)[1],
            gaintype=mujoco.mjtGain.mjGAIN_AFFINE,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        )
        drag.gear = gear
        drag.gainprm[:3] = 0, 0, -square
        drag.biasprm[2] = -linear


def resistance(body: Zebrafish, viscosity_Pa_s: float) -> list[tuple[str, int, float, float, float]]:
    """(name, axis, force per speed, force per speed squared, added mass) of every drag actuator, model units.

    The names end in the site on which they act. Along the body and up, a few links carry the drag of all.
    """
    u, n, part = body.units, body.n_links, sections(body)
    half_rho, long = WATER_KG_PER_M3 / 2, part["long"]
    across = body.normal_viscous * viscosity_Pa_s * long
    across2 = half_rho * body.normal_drag * part["height"] * long
    along = body.tangential_viscous * viscosity_Pa_s * long
    along2 = half_rho * body.tangential_drag * part["girth"] * long
    up2 = half_rho * body.normal_drag * 2 * part["w"] * long
    added = body.reactive * math.pi / 4 * WATER_KG_PER_M3 * part["height"] ** 2 * long
    speed2 = u.force / u.length**2
    rows = [(f"across_link{i:02d}", 1, across[i] / u.drag, across2[i] / speed2, added[i] / u.mass) for i in range(n)]
    for role, axis, carriers, lin, quad in (("along", 0, ALONG, along, along2), ("up", 2, UP, across, up2)):
        owner = np.abs(np.arange(n)[:, None] - carriers).argmin(1)
        for k, i in enumerate(carriers):
            mine = owner == k
            rows.append((f"{role}_link{i:02d}", axis, lin[mine].sum() / u.drag, quad[mine].sum() / speed2, 0.0))
    return rows


def turning(body: Zebrafish, viscosity_Pa_s: float) -> Array:
    """(3,) torque per turning of the head about its axes, model units: rolling of the whole, 4 pi viscosity r^2 per
    length; nodding and turning of the head as a cylinder."""
    u, part = body.units, sections(body)
    end_on = body.normal_viscous * viscosity_Pa_s * body.head_m**3 / 12 / u.torque
    roll = 4 * math.pi * viscosity_Pa_s * (part["height"] ** 2 / 4 * part["long"]).sum() / u.torque
    return np.array([roll, end_on, end_on])


def viscosity_Pa_s(medium: Any) -> float:
    """Of "water" (1 mPa s) or a number in Pa s, 1e-4 to 1. Raises MediumError."""
    if isinstance(medium, str):
        if medium != "water":
            raise MediumError(f"no medium {medium!r} for a fish; {nearest(medium, ['water'], 'medium')}, or Pa s")
        return _WATER_PA_S
    good = isinstance(medium, int | float) and not isinstance(medium, bool) and math.isfinite(medium)
    if not good or not 1e-4 <= medium <= 1:
        raise MediumError(f"viscosity for a fish must be from 1e-4 to 1 Pa s, got {medium!r}; water is 1e-3")
    return float(medium)
