"""What cords of made-up units share: lesions, controls of the wiring, and the way to the motors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from bestiary.brains._parts import Rewire, check_components
from bestiary.brains.connectome import Connectome

Array = np.ndarray[Any, np.dtype[Any]]


class Cord(ABC):
    """A part of a brain (`bestiary.brains._parts.Part`) whose `motor` is the action of the body.

    decoder: the `Motor` of the animal's interface. without: words of `components`. The state holds `rate` (n,) and, of
    the decoder, `limbs`.
    """

    components: ClassVar[Mapping[str, str]]

    def __init__(
        self,
        decoder: Any,
        *,
        without: Sequence[str] = (),
        table_: Connectome | None = None,
        lesioned: Array | None = None,
        silenced: Array | None = None,
    ) -> None:
        check_components(without, self.components)
        self.decoder, self.without = decoder, tuple(without)
        self.table = self.units_and_edges(without) if table_ is None else table_
        n = len(self.table)
        self._lesioned = np.zeros(n, bool) if lesioned is None else lesioned
        self._silenced = np.zeros(n, bool) if silenced is None else silenced
        self._speaks = (~(self._lesioned | self._silenced)).astype(float)
        self._alive = (~self._lesioned).astype(float)
        self._order = np.argsort(self.table.post, kind="stable")
        self._pre, self._post = (a[self._order].astype(np.int64) for a in (self.table.pre, self.table.post))
        self._weight = (self.table.weight * self.table.sign)[self._order].astype(float)
        self._row = {str(name): i for i, name in enumerate(self.table.ids.tolist())}
        self._outputs = np.array([self._row[name] for name in decoder.OUTPUTS])
        self.prepare()

    @staticmethod
    @abstractmethod
    def units_and_edges(without: Sequence[str]) -> Connectome: ...

    @abstractmethod
    def prepare(self) -> None:
        """What the steps need, from table and decoder."""

    def rate_Hz(self, state: dict[str, Any]) -> Array:
        return np.asarray(state["rate"], np.float32)

    def motor(self, state: dict[str, Any]) -> Array:
        """Action (n_motors,) in [-1, 1]."""
        return np.asarray(state["limbs"]["action"], np.float32)

    def cut(self, lesioned: Array, silenced: Array) -> Self:
        gone, quiet = self._lesioned.copy(), self._silenced.copy()
        gone[lesioned], quiet[silenced] = True, True
        return type(self)(self.decoder, without=self.without, table_=self.table, lesioned=gone, silenced=quiet)

    def rewired(self, rewire: Rewire) -> Self:
        options = {"lesioned": self._lesioned, "silenced": self._silenced}
        return type(self)(self.decoder, without=self.without, table_=rewire(self.table), **options)
