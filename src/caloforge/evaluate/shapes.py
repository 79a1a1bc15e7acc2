"""Shower shapes that any calorimeter has, and those of the towers of a ZDC.

Shapes: N showers, K cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.layout import Layout
from caloforge.evaluate.observable import Observable, mean_over_cells, ratio

Values = NDArray[np.float64]
CENTROID_POWER = 0.395
"""Weight of a tower in the centroid is its sum to this power, as ALICE reconstructs it."""


def total(cells: Values, layout: Layout) -> Values:
    """Sum over all cells.  (N,)"""
    del layout
    sums: Values = cells.sum(axis=1)
    return sums


def empty(cells: Values, layout: Layout) -> Values:
    """1 where no cell is lit, else 0; its mean is the fraction of empty showers.  (N,)"""
    del layout
    dark: Values = np.where(cells.any(axis=1), 0.0, 1.0)
    return dark


def centre_x(cells: Values, layout: Layout) -> Values:
    """Mean x of the response in mm, NaN for an empty shower.  (N,)"""
    return mean_over_cells(cells, layout.x_mm)


def centre_y(cells: Values, layout: Layout) -> Values:
    """Mean y of the response in mm, NaN for an empty shower.  (N,)"""
    return mean_over_cells(cells, layout.y_mm)


def width(cells: Values, layout: Layout) -> Values:
    """Root mean square distance from the centre in mm, NaN for an empty shower.  (N,)"""
    squares = mean_over_cells(cells, layout.x_mm**2 + layout.y_mm**2)
    centre = centre_x(cells, layout) ** 2 + centre_y(cells, layout) ** 2
    rms: Values = np.sqrt(np.maximum(squares - centre, 0))
    return rms


def occupancy(cells: Values, layout: Layout) -> Values:
    """Fraction of the cells that are lit.  (N,)

    CaloGAN calls it sparsity; the CaloChallenge calls one minus it sparsity.
    """
    del layout
    lit: Values = (cells != 0).mean(axis=1)
    return lit


def hottest(cells: Values, layout: Layout) -> Values:
    """Fraction of the total that the brightest cell holds, NaN for an empty shower.  (N,)"""
    del layout
    return ratio(cells.max(axis=1), cells.sum(axis=1))


def common_over_towers(cells: Values, layout: Layout) -> Values:
    """Light of the common fibres over that of all towers, NaN without tower light.  (N,)

    A generator with checkerboard artefacts gets this wrong: the common channel is every other cell.
    """
    if layout.common is None:
        return np.full(len(cells), np.nan)
    shared = cells[:, layout.common].sum(axis=1)
    return ratio(shared, cells.sum(axis=1) - shared)


def centroid_x(cells: Values, layout: Layout) -> Values:
    """X of the centroid in mm that ALICE reconstructs from the tower sums.  (N,)"""
    return _centroid(cells, layout, 0)


def centroid_y(cells: Values, layout: Layout) -> Values:
    """Y of the centroid in mm that ALICE reconstructs from the tower sums.  (N,)"""
    return _centroid(cells, layout, 1)


def _centroid(cells: Values, layout: Layout, axis: int) -> Values:
    if layout.towers is None or layout.tower_mm is None:
        return np.full(len(cells), np.nan)
    weights = np.maximum(cells @ layout.towers, 0) ** CENTROID_POWER
    return ratio(weights @ layout.tower_mm[:, axis], weights.sum(axis=1))


TOTAL = Observable("total", "total", None, total)
EMPTY = Observable("empty", "empty showers", "fraction", empty)
SHAPES: tuple[Observable, ...] = (
    Observable("centre_x", "centre in x", "mm", centre_x),
    Observable("centre_y", "centre in y", "mm", centre_y),
    Observable("width", "width", "mm", width),
    Observable("occupancy", "occupancy", "fraction", occupancy),
    Observable("hottest", "hottest cell over total", "fraction", hottest),
)
TOWERS: tuple[Observable, ...] = (
    Observable("common_over_towers", "common over tower sum", "ratio", common_over_towers),
    Observable("centroid_x", "tower centroid in x", "mm", centroid_x),
    Observable("centroid_y", "tower centroid in y", "mm", centroid_y),
)
