"""From the units of the fly's cord to its 78 motors, by a declared step template and postures."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from bestiary.bodies._base import Array
from bestiary.bodies.fly import LEGS
from bestiary.interfaces._fly_limbs import OUTPUTS, Fixed, State, advance
from bestiary.interfaces._fly_postures import PROGRAMS
from bestiary.interfaces._fly_template import Template
from bestiary.interfaces._look_up import look

HEIGHTS = {
    "T1": 0.95,
    "T2": 1.0,
    "T3": 3.2,
}  # of the arc of a swing, relative: hind legs lag behind their commands most
PRESS_MM = {"T1": 0.2, "T2": 0.07, "T3": 0.05}  # how far below the ground a swing aims, as the body is pitched up
SLOW_MM = {"T1": 0.0, "T2": 0.08, "T3": 0.0}  # how much lower the slower, down to standing, as the body rides higher


class Motor:
    """Rates of the cord's units to the action. State: where each foot is told to be, and what was told before.

    period_s: of control. speed_mm_s_per_Hz: of the side's `fore` and `back` units. lift_mm: height of a swing's arc.
    half_track_mm: half the distance between the sides, by which their difference in speed becomes a turn.
    swing_s: time of a whole arc at a rate of 100 Hz. stance (rate, share): the template's own idea of how long a
    stance lasts, 1 / (rate + share * speed), by which a swing knows how far ahead to put the foot. groom_s: of half a
    grooming sweep at 100 Hz. search: a foot that finds no ground reaches down for it, one that finds it early rests
    there. pools: legs go by the cord's units of motor pools (`bestiary.brains._fly_vnc`), not straight by `swing`: one
    is in swing while `lift` is above 50 Hz, gets as far ahead as `reach` says, and in stance stands and pushes back as
    far as `press` and `push` say, 100 Hz being all the way.
    """

    OUTPUTS = OUTPUTS  # the units that it reads, in this order

    def __init__(
        self,
        template: Template,
        period_s: float,
        *,
        speed_mm_s_per_Hz: float = 0.3,
        lift_mm: float = 0.6,
        half_track_mm: float = 1.2,
        swing_s: float = 0.0255,
        stance: tuple[float, float] = (6.5, 0.55),
        groom_s: float = 0.07,
        adhesion: bool = True,
        search: bool = True,
        pools: bool = False,
    ) -> None:
        t = self.template = template
        self.period_s = period_s
        parts = ("head", "rostrum", "haustellum", "labrum", "antenna", "abdomen")
        mouth = ("rostrum", "haustellum", "labrum_left", "labrum_right", "head")
        taken = (f.name for f in fields(t) if f.name in Fixed._fields)
        heights, press, slow = (np.array([by[leg[:2]] for leg in LEGS]) for by in (HEIGHTS, PRESS_MM, SLOW_MM))
        self._fixed = Fixed(
            **{name: getattr(t, name) for name in taken},
            mouth=np.array([t.motors[m] for m in mouth]),
            wings=np.array([t.motors[m] for m in ("wing_yaw_left", "wing_yaw_right")]),
            others=np.array([i for m, i in t.motors.items() if m.startswith(parts)]),
            share=np.where(t.delay_s > 0, -np.expm1(-period_s / np.maximum(t.delay_s, 1e-9)), 1.0),
            heights=heights,
            press=press,
            slow=slow,
            period_s=float(period_s),
            speed_mm_s_per_Hz=float(speed_mm_s_per_Hz),
            lift_mm=float(lift_mm),
            half_track_mm=float(half_track_mm),
            swing_s=float(swing_s),
            stance_per_s=float(stance[0]),
            stance_share=float(stance[1]),
            groom_s=float(groom_s),
            adhesion=bool(adhesion),
            search=bool(search),
            pools=bool(pools),
        )

    def init(self) -> dict[str, Array]:
        """Standing: every foot at the middle of its stance. The arrays of `State`, by name."""
        t = self.template
        told = np.stack([look(t.table[i], t.low, t.step, np.zeros(3)) for i in range(6)])
        at = t.where[:, :7]
        active = t.centre + t.half * t.neutral
        active[at] = told + t.spring[at] * (told - t.rest_rad[at])
        state = State(
            feet=t.origin.copy(),
            lifted=t.origin[:, :2].copy(),
            arc=np.full(6, -1.0),
            ground=np.zeros(6),
            told=told,
            active=active,
            action=t.neutral.copy(),
            groom=np.zeros(len(PROGRAMS)),
            clock=np.array([0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0]),
        )._asdict()
        self.advance(state, np.zeros(len(OUTPUTS)))
        return state

    def advance(self, state: dict[str, Array], rate_Hz: Array) -> None:
        """One control period, in place. rate_Hz: of the units OUTPUTS."""
        advance(State(**state), rate_Hz, self._fixed)
