"""What is seen of a shower: channel sums and shower shapes, from the detector alone.

Shapes: N showers, K cells, c channels. A new observable is one function and one row of
``OBSERVABLES``; everything that judges, prints and draws takes it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class Places:
    """Where the cells are, in mm from the middle of their layer; each (K,)."""

    x_mm: Values
    y_mm: Values


@dataclass(frozen=True)
class Observable:
    """One number of a shower; NaN where the shower does not have it."""

    name: str
    title: str
    unit: str | None
    """None: the unit of the detector."""
    of: Callable[[Values, Places], Values]
    """(N, K) -> (N,)"""


@dataclass(frozen=True)
class Observed:
    """Observables of showers, next to the cells they come from."""

    cells: NDArray[Any]
    channels: Values
    """Channel sums by one scheme, (N, c)."""
    values: Mapping[str, Values]
    """By the name of the observable, (N,) each."""


def total(cells: Values, places: Places) -> Values:
    """Sum over all cells.  (N,)"""
    del places
    sums: Values = cells.sum(axis=1)
    return sums


def empty(cells: Values, places: Places) -> Values:
    """1 where no cell is lit, else 0; its mean is the fraction of empty showers.  (N,)"""
    del places
    dark: Values = np.where(cells.any(axis=1), 0.0, 1.0)
    return dark


def centre_x(cells: Values, places: Places) -> Values:
    """Mean x of the response in mm, NaN for an empty shower.  (N,)"""
    return _mean_over_cells(cells, places.x_mm)


def centre_y(cells: Values, places: Places) -> Values:
    """Mean y of the response in mm, NaN for an empty shower.  (N,)"""
    return _mean_over_cells(cells, places.y_mm)


def width(cells: Values, places: Places) -> Values:
    """Root mean square distance from the centre in mm, NaN for an empty shower.  (N,)"""
    squares = _mean_over_cells(cells, places.x_mm**2 + places.y_mm**2)
    centre = centre_x(cells, places) ** 2 + centre_y(cells, places) ** 2
    rms: Values = np.sqrt(np.maximum(squares - centre, 0))
    return rms


OBSERVABLES: tuple[Observable, ...] = (
    Observable("total", "total", None, total),
    Observable("centre_x", "centre in x", "mm", centre_x),
    Observable("centre_y", "centre in y", "mm", centre_y),
    Observable("width", "width", "mm", width),
    Observable("empty", "empty showers", "fraction", empty),
)


def observe(showers: Showers, scheme: str | None = None) -> Observed:
    """Channel sums and all observables of showers.  (N, K) -> (N, c) and (N,) each"""
    places = places_of(showers.detector)
    columns: dict[str, list[Values]] = {observable.name: [] for observable in OBSERVABLES}
    for start in range(0, max(1, len(showers.cells)), ROWS_AT_ONCE):
        block = np.asarray(showers.cells[start : start + ROWS_AT_ONCE], dtype=np.float64)
        for observable in OBSERVABLES:
            columns[observable.name].append(observable.of(block, places))
    return Observed(
        cells=showers.cells,
        channels=showers.detector.read_out(showers.cells, scheme),
        values={name: np.concatenate(parts) for name, parts in columns.items()},
    )


def places_of(detector: Detector) -> Places:
    """Cell centres of all layers, in the order of the flat cells.  (K,) each"""
    grids = [
        np.meshgrid(layer.centres_mm(0), layer.centres_mm(1), indexing="ij")
        for layer in detector.layers
    ]
    x, y = (np.concatenate([grid[axis].ravel() for grid in grids]) for axis in (0, 1))
    return Places(x, y)


def _mean_over_cells(cells: Values, of_cell: Values) -> Values:
    """Mean of a number of the cells, weighted by the response; NaN without any.  (N,)"""
    light = cells.sum(axis=1)
    means: Values = np.full(len(cells), np.nan)
    np.divide(cells @ of_cell, light, out=means, where=light > 0)
    return means
