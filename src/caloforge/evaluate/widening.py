"""Real showers that are a little too wide: what a classifier must be able to see to be believed.

Shapes: N showers, K cells, n cells of a layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.layout import LayerCells, layout_of

if TYPE_CHECKING:
    from caloforge.detector import Detector

Values = NDArray[np.float64]
FACTOR = 1.1
BISECTIONS = 40
STEEPEST = 5.0


def widened(cells: NDArray[Any], detector: Detector, factor: float = FACTOR) -> NDArray[Any]:
    """The same showers, every layer wider about its own centre by a factor.  (N, K) -> (N, K)

    A cell at distance r from the centre of its layer is multiplied by exp(k r^2), with k such that
    the root mean square distance grows by the factor, and the layer keeps its energy: dark cells
    stay dark, sums stay, only the profile changes. A layer of one lit cell cannot be widened.
    """
    wide = cells.astype(np.float64)
    for layer in layout_of(detector).layers:
        wide[:, layer.cells] = _tilted(wide[:, layer.cells], layer, factor)
    return wide.astype(cells.dtype)


def _tilted(cells: Values, layer: LayerCells, factor: float) -> Values:
    total = np.maximum(cells.sum(axis=1), 1e-30)
    centre = (cells @ layer.x_mm / total)[:, None], (cells @ layer.y_mm / total)[:, None]
    square = (layer.x_mm - centre[0]) ** 2 + (layer.y_mm - centre[1]) ** 2
    width = np.maximum((cells * square).sum(axis=1) / total, 1e-9)
    scaled = square / width[:, None]
    low, high = np.zeros(len(cells)), np.full(len(cells), STEEPEST)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        narrow = _mean(cells, scaled, middle) < factor**2
        low, high = np.where(narrow, middle, low), np.where(narrow, high, middle)
    tilted = cells * _tilt(scaled, low)
    kept: Values = tilted * (cells.sum(axis=1) / np.maximum(tilted.sum(axis=1), 1e-30))[:, None]
    return kept


def _mean(cells: Values, scaled: Values, steepness: Values) -> Values:
    """Mean square distance over that of the shower as it is.  (N,)"""
    tilted = cells * _tilt(scaled, steepness)
    mean: Values = (tilted * scaled).sum(axis=1) / np.maximum(tilted.sum(axis=1), 1e-30)
    return mean


def _tilt(scaled: Values, steepness: Values) -> Values:
    tilt: Values = np.exp(np.minimum(steepness[:, None] * scaled, 50))
    return tilt
