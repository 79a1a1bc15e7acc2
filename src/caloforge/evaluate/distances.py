"""Wasserstein-1 distances of one-dimensional samples, plain and for many resamplings at once.

Shapes: n and m values of two samples, B resamplings, c channels.

W1 is the area between the two cumulative distributions: ``integral |F_a(t) - F_b(t)| dt``
(Vallender 1974); for equal numbers it is the mean difference of the sorted values. Unit: that of
the values. The papers on the ALICE ZDC average it over five channel sums (zdc.md b2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError

Values = NDArray[np.float64]
CELLS_AT_ONCE = 2_000_000
"""Elements of one block of resamplings: 16 MB of float64 stay near the cache."""


def w1(a: Values, b: Values) -> float:
    """Wasserstein-1 distance of two samples of any sizes, in the unit of the values.

    Raises DataError for a sample that is empty or not finite.
    """
    return float(w1_channels(_column(a), _column(b))[0])


def w1_channels(a: Values, b: Values) -> Values:
    """Wasserstein-1 distance of each column.  (n, c), (m, c) -> (c,)

    Raises DataError for a sample that is empty or not finite.
    """
    for sample in (a, b):
        if len(sample) == 0 or not np.isfinite(sample).all():
            raise DataError("W1 needs samples that are finite and not empty")
    if len(a) == len(b):
        difference: Values = np.abs(np.sort(a, axis=0) - np.sort(b, axis=0)).mean(axis=0)
        return difference
    ones = np.ones((1, len(a))), np.ones((1, len(b)))
    return np.array([weighted_w1(x, y, *ones)[0] for x, y in zip(a.T, b.T, strict=True)])


def weighted_w1(a: Values, b: Values, weights_a: Values, weights_b: Values) -> Values:
    """W1 of two samples under each of B weightings of their rows.  (n,), (m,) -> (B,)

    NaN where one sample has no weight at all.
    """
    values = np.concatenate([a, b])
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    result = np.full(len(weights_a), np.nan)
    block = max(1, CELLS_AT_ONCE // max(1, len(values)))
    for start in range(0, len(result), block):
        rows = slice(start, start + block)
        result[rows] = _areas(weights_a[rows], weights_b[rows], order, gaps)
    return result


def _areas(weights_a: Values, weights_b: Values, order: NDArray[np.int64], gaps: Values) -> Values:
    """Areas between the cumulative distributions.  (B,)"""
    total_a = weights_a.sum(axis=1, keepdims=True)
    total_b = weights_b.sum(axis=1, keepdims=True)
    defined = ((total_a > 0) & (total_b > 0))[:, 0]
    steps = np.concatenate(
        [
            weights_a / np.where(total_a > 0, total_a, 1),
            -weights_b / np.where(total_b > 0, total_b, 1),
        ],
        axis=1,
    )[:, order]
    heights = np.abs(np.cumsum(steps, axis=1))[:, :-1]
    return np.where(defined, heights @ gaps, np.nan)


def _column(sample: Values) -> Values:
    """A sample as a table of one column.  (n,) -> (n, 1)"""
    return np.asarray(sample, dtype=np.float64).reshape(-1, 1)
