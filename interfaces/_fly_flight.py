"""Flight of the fly: a wing beat and the reflexes that hold it upright; a controller declared beside the brain.

It is not a connectome. It knows its attitude (gyro and gravity, as halteres and legs give) and, as a stand-in for optic
flow and the compass, the true position, velocity and heading. Everything can be switched off: `stabilise=False` leaves
the bare wing beat, `beat=False` leaves still wings.

The wing beat is a sine in stroke (yaw of the wing in its level plane) and a quarter period ahead in rotation (pitch),
218 Hz (Vaxenburg et al 2025 Nature 643:1312). Forces and moments of one beat, measured on this model with the body held
still (wing fluid as in `Fly`; 0.95 rad of stroke, 0.8 rad of rotation), are what the reflexes divide by:
lift 0.94 of the weight there, and as the square of the stroke; see `EFFECT`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bestiary.bodies._base import Array
from bestiary.bodies.fly import HOVER_PITCH_RAD, Fly
from bestiary.envs._clock import Clock

__all__ = ["CLOCK", "EFFECT", "Command", "Flight", "SteeredFlight"]

CLOCK = {"control": "0.0002", "brain": "0.0002", "physics": "0.00005"}
_MASS_KG, _G = 0.8827e-6, 9.81
# Lift equals weight; the middle a little ahead, where the moment vanishes (both learned in 3 s of hover); chord upright
_STROKE_RAD, _MIDDLE_RAD, _ROTATION_RAD, _UPRIGHT_RAD = 0.986, -0.021, 0.8, 0.74
_BACK_RAD = 0.016  # the stroke plane of a hovering fly leans back so far: the beat's mean force is that much ahead
EFFECT = {  # per rad, at hover: N m about the level axes ahead, left, up; N of lift
    "stroke": 18.6e-6,  # lift, both wings' amplitude
    "roll": 33.1e-9,  # left amplitude up, right down: left side up
    "pitch": 13.4e-9,  # middle of both strokes backward: nose down
    "yaw": 1.78e-9,  # left stroke backward, right forward: to the left
}
# About the centre of mass, legs tucked, level axes ahead, left, up at hover; kg m^2
_INERTIA = np.array([[0.438, 0.0, -0.187], [0.0, 0.508, 0.0], [-0.187, 0.0, 0.281]]) * 1e-12
_YAW_DAMPING_PER_S = 213.0  # beating wings stop a turn by themselves: 0.0596 nN m per rad/s, over the moment of inertia
_TRAILING = {"damping_s": 0.00776923 / 18, "armature_s2": 1e-6 / 18}  # of a wing's motor, over its gain
# Thorax to stroke frame: pitched back by the hover angle
_C, _S = math.cos(HOVER_PITCH_RAD), math.sin(HOVER_PITCH_RAD)
_LEVEL = np.array([[_C, 0, -_S], [0, 1, 0], [_S, 0, _C]])


@dataclass(frozen=True)
class Command:
    """What is asked of the flight: speed ahead, to the left and up, m/s, in the frame of the heading; turning, rad/s,
    to the left. All zero is to hover on the spot."""

    ahead_m_per_s: float = 0.0
    left_m_per_s: float = 0.0
    up_m_per_s: float = 0.0
    turn_rad_per_s: float = 0.0


class SteeredFlight:
    """A closed-loop fly that flies: an animal whose cord begins, steers and ends `Flight`.

    While the unit `flight` is above 50 Hz the controller has the wings; all else, the legs that jump and are then drawn
    up too, is the cord's own action. `stroke_L` and `stroke_R`, which DNg02 drives (Namiki 2022 Curr Biol 32:1189), say
    where it goes: wings that beat wider on one side roll and turn a fly to the other, so the right unit's rate less the
    left one's is a turn to the left, and their mean a climb. A flight that begins with a claw on the ground rises at
    rise_m_per_s for rise_s. All four numbers are `tuned`; wing beat and reflexes stay the controller's. animal: is
    asked once in each of its own control periods; one whose control is scripted does not fly.
    """

    clock = Clock(**CLOCK)

    def __init__(
        self,
        animal: Any,
        turn_rad_per_s_per_Hz: float = 0.1,
        climb_m_per_s_per_Hz: float = 0.001,
        rise_m_per_s: float = 0.2,
        rise_s: float = 0.1,
    ) -> None:
        self.flight, self.animal = Flight(Fly()), animal
        self.rise, self.rise_s = rise_m_per_s, rise_s
        self.turn, self.climb = turn_rad_per_s_per_Hz, climb_m_per_s_per_Hz
        self.every = round(animal.clock.control_s / self.clock.control_s)
        left, right, flight = (int(animal.index(name)[0]) for name in ("stroke_L", "stroke_R", "flight"))
        self.rows = [left, right, flight]

    def watch(self, env: Any) -> None:
        """env: where it will fly; the controller reads the true pose there."""
        self.env = env.unwrapped

    def index(self, query: Any) -> Array:
        return np.asarray(self.animal.index(query))

    def probe(self) -> dict[str, Any]:
        return dict(self.animal.probe())

    def reset(self, episode_seed: int = 0) -> None:
        self.animal.reset(episode_seed)
        self.steps, self.flies, self.rises = 0, False, 0.0

    def act(self, obs: dict[str, Array]) -> Array:
        """(78,) action, once per control period of `clock`."""
        if self.steps % self.every == 0:
            self.action = self.animal.act(obs)
            left, right, flight = self.animal.probe()["rate_Hz"][self.rows].tolist()
            before, self.flies = self.flies, flight > 50 and not self.animal.control.scripted
            if self.flies and not before:
                self.flight.reset()
                self.rises = self.rise_s if obs["claw_contact_N"].any() else 0.0
            up = self.climb * (left + right) / 2 + (self.rise if self.rises > 0 else 0.0)
            self.command = Command(up_m_per_s=up, turn_rad_per_s=self.turn * (right - left))
            self.rises -= self.animal.clock.control_s
        self.steps += 1
        action = np.array(self.action)
        if self.flies:
            wings = self.flight.motors
            action[wings] = self.flight.act(obs, self.env.last_pose, self.command)[wings]
        return action


class Flight:
    """Policy for the wings and legs in flight, once per control period of `CLOCK`.

    hz: wing beat. beat: False keeps the wings still. stabilise: False beats them without any reflex.
    position_per_s, velocity_per_s, tilt_per_s, turn_per_s: corner rates of the nested loops; each asks the next.
    trim_per_s: how fast lasting errors are learned away.
    """

    def __init__(
        self,
        body: Any,
        hz: float = 218.0,
        beat: bool = True,
        stabilise: bool = True,
        position_per_s: float = 5.0,
        velocity_per_s: float = 16.0,
        tilt_per_s: float = 70.0,
        turn_per_s: float = 10.0,
        trim_per_s: float = 10.0,
        period_s: float = float(CLOCK["control"]),
    ) -> None:
        if not 150 <= hz <= 300:
            raise ValueError(f"a fly beats its wings at 150 to 300 Hz, got hz={hz}")
        self.hz, self.beat, self.stabilise, self.period_s = hz, beat, stabilise, period_s
        self.position_per_s, self.velocity_per_s = position_per_s, velocity_per_s
        self.tilt_per_s, self.turn_per_s, self.trim_per_s = tilt_per_s, turn_per_s, trim_per_s
        self.base = np.array(body.tucked)
        sides, axes = ("left", "right"), ("yaw", "roll", "pitch")
        names = [f"wing_{axis}_{side}" for side in sides for axis in axes]
        self.motors = np.array([body.motors.index(name) for name in names])
        self.joints = np.array([body.joints.index(name) for name in names])
        self.reset()

    def reset(self, seed: int = 0) -> None:
        """Forgets the goal: the next `act` holds the place and heading that it finds."""
        self.steps = 0
        self.goal_m: Array | None = None
        self.goal_rad = 0.0
        self.trim = np.zeros(4)
        beat = round(1 / self.hz / self.period_s)
        self._felt = np.zeros((beat, 9))  # spin, tilt and place over the last beat
        self._sum = np.zeros(9)

    def act(self, obs: dict[str, Array], pose: dict[str, Array], command: Command | None = None) -> Array:
        """(78,) action. pose: com_m, velocity_m_per_s and heading_rad are read."""
        command = command or Command()
        wing = self._asked(obs, pose, command) if self.stabilise else np.zeros(4)
        time = self.steps * self.period_s
        self.steps += 1
        action = self.base.copy()
        if not self.beat:
            return action
        stroke, roll, pitch, yaw = wing
        omega = 2 * math.pi * self.hz
        s, c = math.sin(omega * time), math.cos(omega * time)
        target, speed, force = np.zeros(6), np.zeros(6), np.zeros(6)
        for side, sign in ((0, 1.0), (3, -1.0)):
            reach = _STROKE_RAD + stroke + sign * roll
            target[side] = _MIDDLE_RAD + pitch + sign * yaw + reach * s
            target[side + 2] = _UPRIGHT_RAD + _ROTATION_RAD * c
            speed[side], speed[side + 2] = omega * reach * c, -omega * _ROTATION_RAD * s
            force[side], force[side + 2] = -(omega**2) * reach * s, -(omega**2) * _ROTATION_RAD * c
        away = target - obs["joint_rad"][self.joints]
        drive = away + _TRAILING["damping_s"] * speed + _TRAILING["armature_s2"] * force
        action[self.motors] = np.clip(drive, -1, 1)
        return action

    def _asked(self, obs: dict[str, Array], pose: dict[str, Array], command: Command) -> Array:
        """(4,) rad added to the stroke: amplitude of both, left less right, middle of both, left less right."""
        com, heading = pose["com_m"], float(pose["heading_rad"])
        # level axes of the fly: the thorax pitched back, so that it is level at hover
        spin = _LEVEL @ obs["gyro_rad_per_s"]
        up = -(_LEVEL @ obs["gravity"])  # the world's up, seen from the stroke plane
        c, s = math.cos(heading), math.sin(heading)
        if self.goal_m is None:
            self.goal_m, self.goal_rad = com.copy(), heading
        speed = np.array(
            [
                c * command.ahead_m_per_s - s * command.left_m_per_s,
                s * command.ahead_m_per_s + c * command.left_m_per_s,
                command.up_m_per_s,
            ]
        )
        self.goal_m = self.goal_m + speed * self.period_s
        self.goal_rad += command.turn_rad_per_s * self.period_s
        # means over one wing beat have no ripple; the speed is the way gone in it
        new = np.concatenate([spin, up, com])
        slot, filled = self.steps % len(self._felt), min(self.steps + 1, len(self._felt))
        velocity = (com - self._felt[slot, 6:]) / (len(self._felt) * self.period_s)
        if self.steps < len(self._felt):
            velocity = pose["velocity_m_per_s"]
        self._sum += new - self._felt[slot]
        self._felt[slot] = new
        spin, up = self._sum[:3] / filled, self._sum[3:6] / filled
        toward = self.position_per_s * (self.goal_m - com)
        toward *= min(1.0, 0.2 / (math.sqrt(toward @ toward) + 1e-12))  # no more than 0.2 m/s on the way back
        push = self.velocity_per_s * (toward + speed - velocity)
        ahead, left = c * push[0] + s * push[1], c * push[1] - s * push[0]
        # lean: where the world's up should be seen from the stroke plane
        lean = np.clip(np.array([ahead / _G - _BACK_RAD, left / _G]), -0.4, 0.4)
        turn = math.remainder(self.goal_rad - heading, 2 * math.pi)
        tilt = np.array([-lean[1] - up[1], lean[0] + up[0]])  # still to go about the axes ahead and left, rad
        # what stays wrong is learned away, as a trim
        self.trim += self.trim_per_s * self.period_s * np.array([*tilt, turn, push[2]])
        k, n = self.tilt_per_s**2, 2 * self.tilt_per_s
        rate = self.turn_per_s * (turn + self.trim[2]) + command.turn_rad_per_s
        bend = np.array([*(k * (tilt + self.trim[:2]) - n * spin[:2]), _YAW_DAMPING_PER_S * rate])
        torque = _INERTIA @ bend
        lift = _MASS_KG * (_G + push[2] + self.trim[3]) / max(up[2], 0.5) - _MASS_KG * _G
        return np.array(
            [
                min(max(lift / EFFECT["stroke"], -0.3), 0.3),
                min(max(torque[0] / EFFECT["roll"], -0.2), 0.2),
                min(max(torque[1] / EFFECT["pitch"], -0.3), 0.3),
                min(max(torque[2] / EFFECT["yaw"], -0.25), 0.25),
            ]
        )
