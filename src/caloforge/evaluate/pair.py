"""Two samples of showers of the same particles, as measures see them.

Shapes: L rows of a side, P particles, K cells, c channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.observables import Observed
from caloforge.evaluate.repeats import Rows

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """Rows of observed showers and the slot of the particle of each; rows and slot (L,)."""

    seen: Observed
    rows: Rows
    slot: Rows

    @property
    def channels(self) -> Values:
        """Channel sums.  (L, c)"""
        return self.seen.channels[self.rows]

    @property
    def cells(self) -> NDArray[Any]:
        """Cells.  (L, K)"""
        return self.seen.cells[self.rows]

    def value(self, observable: str) -> Values:
        """An observable, NaN where a shower does not have it.  (L,)"""
        return self.seen.values[observable][self.rows]


@dataclass(frozen=True)
class Pair:
    """Two samples of showers of the same P particles, the real one first."""

    real: Side
    other: Side
    particles: int
