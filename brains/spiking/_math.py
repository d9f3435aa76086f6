"""What the scalar equations of a model may call. Here in NumPy; each back end puts its own in place (_translate.py)."""

from __future__ import annotations

from numpy import exp, log, sqrt, tanh, where

__all__ = ["exp", "log", "sqrt", "tanh", "where"]
