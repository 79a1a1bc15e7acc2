"""Radial profile of showers: where the response is, seen from the centre of each shower.

Shapes: N showers, K cells, r rings.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.layout import Layout
from caloforge.evaluate.shapes import centre_x, centre_y

Values = NDArray[np.float64]
ROWS_AT_ONCE = 256
RINGS = 16


def ring_edges(layout: Layout) -> Values:
    """Edges of rings of equal width, out to half the face, in mm.  (r + 1,)"""
    half = min(np.ptp(layout.x_mm), np.ptp(layout.y_mm)) / 2 or 1.0
    return np.linspace(0, half, RINGS + 1)


def radial_profile(cells: NDArray[Any], layout: Layout, edges_mm: Values) -> Values:
    """Part of the response in each ring about the centre of the shower.  (N, K) -> (N, r)

    NaN for empty showers; what lies beyond the last ring is not in any.
    """
    profile = np.empty((len(cells), len(edges_mm) - 1))
    for start in range(0, len(cells), ROWS_AT_ONCE):
        block = np.asarray(cells[start : start + ROWS_AT_ONCE], dtype=np.float64)
        away = np.hypot(
            layout.x_mm - centre_x(block, layout)[:, None],
            layout.y_mm - centre_y(block, layout)[:, None],
        )
        total = block.sum(axis=1)
        for ring, (low, high) in enumerate(pairwise(edges_mm)):
            inside = (block * ((away >= low) & (away < high))).sum(axis=1)
            profile[start : start + len(block), ring] = np.divide(
                inside, total, out=np.full(len(block), np.nan), where=total > 0
            )
    return profile
