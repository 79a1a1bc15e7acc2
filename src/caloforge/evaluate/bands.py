"""Showers whose conditions are nearly alike, for files in which no particle has repeats.

Shapes: N rows, C conditions, d coordinates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.baselines import coordinates
from caloforge.evaluate.repeats import Rows

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
ROWS_IN_BAND = 32
"""At most so many rows: enough for a spread, few enough for conditions that are alike."""


def bands_of(showers: Showers, most: int = ROWS_IN_BAND) -> Rows:
    """Number of the band of each row: halves of halves of the coordinates.  (N,)

    The longest side (of the standardised coordinates, the kind of particle first) is cut at its
    median until a band holds at most ``most`` rows, as a k-d tree does (Bentley 1975).
    """
    points = coordinates(showers.detector, showers.conditions)
    scale = points.std(axis=0)
    points = points / np.where(scale > 0, scale, 1)
    kinds = np.zeros(len(points), dtype=np.int64)
    if showers.pdg is not None:
        kinds = np.unique(showers.pdg, return_inverse=True)[1].reshape(-1)
    band = np.empty(len(points), dtype=np.int64)
    waiting = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    number = 0
    while waiting:
        rows = waiting.pop()
        sides = np.ptp(points[rows], axis=0) if points.shape[1] else np.zeros(1)
        if len(rows) <= most or sides.max() == 0:
            band[rows], number = number, number + 1
            continue
        order = rows[np.argsort(points[rows, sides.argmax()], kind="stable")]
        waiting += [order[: len(order) // 2], order[len(order) // 2 :]]
    return band
