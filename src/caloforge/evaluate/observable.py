"""One number of a shower: its name, its unit and its formula.

Shapes: N showers, K cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.layout import Layout

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Observable:
    """One number of a shower; NaN where the shower does not have it."""

    name: str
    title: str
    unit: str | None
    """None: the unit of the detector."""
    of: Callable[[Values, Layout], Values]
    """(N, K) -> (N,)"""


def mean_over_cells(cells: Values, of_cell: Values) -> Values:
    """Mean of a number of the cells, weighted by the response; NaN without any.  (N,)"""
    return ratio(cells @ of_cell, cells.sum(axis=1))


def ratio(above: Values, below: Values) -> Values:
    """Quotient, NaN where ``below`` is not positive.  (N,)"""
    quotient: Values = np.full(len(above), np.nan)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient
