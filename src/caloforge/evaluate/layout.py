"""Where the cells of a detector are, for everything that is computed of a shower.

Shapes: K cells of all layers, flat; a cell [x][y] of a layer (nx, ny) has number ``x * ny + y``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.readout import Channels

Values = NDArray[np.float64]
COMMON = "common"
LEAST_TOWERS = 4


@dataclass(frozen=True)
class LayerCells:
    """The cells of one layer: where they stand in a flat shower, and in space."""

    name: str
    cells: slice
    shape: tuple[int, int]
    x_mm: Values
    """From the middle of the layer, (n,)."""
    y_mm: Values


@dataclass(frozen=True)
class Layout:
    """Cells of all layers in the order of a flat shower."""

    x_mm: Values
    """From the middle of their layer, (K,)."""
    y_mm: Values
    layers: tuple[LayerCells, ...]
    common: NDArray[np.bool_] | None
    """Cells of the common channel of a ZDC, (K,); None where the detector has none."""
    towers: Values | None
    """Membership of cells in the towers of a ZDC, (K, towers)."""
    tower_mm: Values | None
    """Middle of each tower, (towers, 2)."""


def layout_of(detector: Detector) -> Layout:
    """The layout of a detector; towers and common cells by its default scheme."""
    starts = detector.offsets()
    layers = []
    for layer, start in zip(detector.layers, starts, strict=False):
        x, y = layer.places_mm()
        flat = slice(start, start + layer.cells)
        layers.append(LayerCells(layer.name, flat, layer.shape, x.ravel(), y.ravel()))
    x, y = (np.concatenate([getattr(layer, axis) for layer in layers]) for axis in ("x_mm", "y_mm"))
    return Layout(x, y, tuple(layers), *_towers(detector.channels[:1], x, y))


def _towers(
    default: tuple[Channels, ...], x: Values, y: Values
) -> tuple[NDArray[np.bool_] | None, Values | None, Values | None]:
    """Common cells, towers and their middles, None for a detector that is no ZDC."""
    scheme = next((s for s in default if COMMON in s.labels), None)
    if scheme is None or len(scheme.labels) <= LEAST_TOWERS:
        return None, None, None
    number = scheme.labels.index(COMMON)
    members = np.delete(scheme.matrix.astype(np.float64), number, axis=1)
    middles = np.stack([members.T @ x, members.T @ y], axis=1) / members.sum(axis=0)[:, None]
    return np.asarray(scheme.of_cell) == number, members, middles
