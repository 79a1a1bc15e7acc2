"""Correlation of channels and observables with one another, real and generated.

Shapes: N showers, d numbers of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Correlations:
    """Correlation matrices (d, d), NaN where a number does not vary, and their names."""

    names: tuple[str, ...]
    real: Values
    generated: Values

    @property
    def difference(self) -> Values:
        """Generated minus real.  (d, d)"""
        return self.generated - self.real

    @property
    def largest(self) -> tuple[str, str, float] | None:
        """The two names whose correlation is most wrong, and by how much."""
        away = np.abs(np.triu(self.difference, 1))
        if not np.isfinite(away).any() or not np.nanmax(away):
            return None
        row, column = np.unravel_index(np.nanargmax(away), away.shape)
        return self.names[row], self.names[column], float(self.difference[row, column])


def correlation(values: Values) -> Values:
    """Pearson correlation of the columns over rows where both are defined.  (N, d) -> (d, d)"""
    there = np.isfinite(values).astype(np.float64)
    filled = np.where(there > 0, values - np.nanmean(_safe(values), axis=0), 0.0)
    count = np.maximum(there.T @ there, 1)
    mean = filled.T @ there / count
    cross = filled.T @ filled / count - mean * mean.T
    square = (filled**2).T @ there / count - mean**2
    scale = np.sqrt(np.maximum(square * square.T, 0))
    matrix = np.full(cross.shape, np.nan)
    np.divide(
        cross, scale, out=matrix, where=scale > 1e-12 * max(float(scale.max(initial=0)), 1e-300)
    )
    clipped: Values = np.clip(matrix, -1, 1)
    return clipped


def correlations(names: tuple[str, ...], real: Values, generated: Values) -> Correlations:
    """Matrices of both samples.  (N, d), (M, d)"""
    return Correlations(names, correlation(real), correlation(generated))


def _safe(values: Values) -> Values:
    """The values, with a zero where a whole column is undefined."""
    empty = ~np.isfinite(values).any(axis=0)
    return np.where(empty, 0.0, values)
