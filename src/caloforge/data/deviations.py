"""Spread of columns, some of which may be constant or undefined in some rows.

Shapes: N rows, d columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-6
"""Range of a column over its largest number, below which it is constant: sums of float32 cells."""


def deviations(values: NDArray[Any]) -> NDArray[Any]:
    """Standard deviation of each column without NaN, 0 for a constant one.  (N, d) -> (d,)

    At least one row, finite or NaN. Numbers that differ by rounding are constant: their deviation,
    in which the mean is rounded once more, would make noise of them.
    """
    high, low = np.fmax.reduce(values, axis=0), np.fmin.reduce(values, axis=0)
    varies = high - low > ROUNDING * np.fmax(np.abs(high), np.abs(low))
    return np.nanstd(np.where(varies, values, 0), axis=0)


def divisors(values: NDArray[Any]) -> NDArray[Any]:
    """What brings each column to deviation 1; 1 for a constant one.  (N, d) -> (d,)"""
    spread = deviations(values)
    return np.where(spread > 0, spread, 1)
