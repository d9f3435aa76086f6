"""Typed errors. Each message names the value, the limit and the nearest fix."""

from __future__ import annotations


class BestiaryError(Exception):
    """Base of every error that Bestiary raises on purpose."""


class ActionError(BestiaryError, ValueError):
    """An action that is not finite, out of [-1, 1], or of the wrong shape. The state is untouched."""


class ObservationError(BestiaryError, ValueError):
    """An observation that lacks a sense, or holds one that is not finite or of the wrong shape. Nothing has moved."""


class EpisodeError(BestiaryError, RuntimeError):
    """A call that this moment of an episode does not allow: step before reset, after the end or after close."""


class ClockError(BestiaryError, ValueError):
    """Periods that do not divide one another."""


class ConnectomeError(BestiaryError, ValueError):
    """A table of neurons or edges that cannot be right: its rows are named."""


class UnknownNeuronError(BestiaryError, KeyError):
    """A neuron, type or class that the connectome does not hold."""

    def __str__(self) -> str:
        return str(self.args[0])


class MediumError(BestiaryError, ValueError):
    """A medium that is not known, or drag and viscosity that no liquid has."""


class DivergenceError(BestiaryError, RuntimeError):
    """A brain or a body whose state is no longer finite: names the first place and the time."""


class DataError(BestiaryError, OSError):
    """A data file that is missing, damaged or foreign."""


class CheckpointError(BestiaryError, ValueError):
    """A checkpoint of another model, wiring, parameters or version: it would not go on as the first run did."""


class RenderError(BestiaryError, RuntimeError):
    """No picture can be drawn here: says what to install."""
