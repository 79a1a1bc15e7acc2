"""Energy from the cells of our layers to the cells of another mesh; every sum is kept.

A cell's energy is spread evenly over its area and depth. What lies beyond the outermost ring goes
into it. x is axis 0 of a layer, y axis 1; layers follow each other in depth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector, Layer
from caloforge.errors import UsageError

STEP_MM = 1.0
"""Spacing of the points by which a cell's area is shared among rings and sectors."""


def overlap(cells: int, width_mm: float, others: int, other_width_mm: float) -> NDArray[np.float64]:
    """Share of each centred interval that lies in each centred other one.  (cells, others)

    Raises UsageError when the others do not cover the cells.
    """
    if others * other_width_mm < cells * width_mm * (1 - 1e-9):
        raise UsageError(
            f"a mesh of {others} x {other_width_mm:g} mm does not cover {cells} x {width_mm:g} mm"
        )
    edges = (np.arange(cells + 1) - cells / 2) * width_mm
    other_edges = (np.arange(others + 1) - others / 2) * other_width_mm
    low = np.maximum(edges[:-1, None], other_edges[None, :-1])
    high = np.minimum(edges[1:, None], other_edges[None, 1:])
    shares: NDArray[np.float64] = np.clip(high - low, 0, None) / width_mm
    return shares


def polar_shares(
    layer: Layer, edges_mm: NDArray[np.float64], sectors: int, *, from_y: bool
) -> NDArray[np.float64]:
    """Share of each cell in each ring and sector, rings outer.  (cells, rings * sectors)

    Sectors start at -pi and turn from the x axis to the y axis, or from y to x if ``from_y``.
    """
    x, y, cell = area_points(layer)
    ring = np.clip(np.digitize(np.hypot(x, y), edges_mm) - 1, 0, len(edges_mm) - 2)
    angle = np.arctan2(x, y) if from_y else np.arctan2(y, x)
    sector = np.floor((angle + np.pi) / (2 * np.pi) * sectors).astype(int) % sectors
    size = (len(edges_mm) - 1) * sectors
    counts = np.bincount(cell * size + ring * sectors + sector, minlength=layer.cells * size)
    shares = counts.reshape(layer.cells, size).astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def area_points(
    layer: Layer,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Points that fill a layer evenly: x, y in mm from its middle, and the flat cell of each."""
    axes, cells = [], []
    for number, width in zip(layer.shape, layer.cell_mm, strict=True):
        a_cell = max(2, round(width / STEP_MM))
        a_cell += a_cell % 2
        fine = number * a_cell
        axes.append((np.arange(fine) + 0.5 - fine / 2) * width / a_cell)
        cells.append(np.arange(fine) // a_cell)
    x, y = np.meshgrid(*axes, indexing="ij")
    column, row = np.meshgrid(*cells, indexing="ij")
    return x.ravel(), y.ravel(), (column * layer.shape[1] + row).ravel()


def depth_shares(detector: Detector, slices: int) -> NDArray[np.float64]:
    """Share of each layer in each of equally thick slices.  (layers, slices)"""
    edges = np.concatenate([[0.0], np.cumsum(depths_mm(detector))])
    other = np.linspace(0, edges[-1], slices + 1)
    low = np.maximum(edges[:-1, None], other[None, :-1])
    high = np.minimum(edges[1:, None], other[None, 1:])
    shares: NDArray[np.float64] = np.clip(high - low, 0, None) / np.diff(edges)[:, None]
    return shares


def depths_mm(detector: Detector) -> NDArray[np.float64]:
    """Thickness of each layer.  (layers,)"""
    depths = [layer.depth_mm for layer in detector.layers]
    if None in depths:
        raise UsageError(f"{detector.name} does not say how thick its layers are")
    return np.array(depths, dtype=np.float64)


def half_width_mm(detector: Detector) -> float:
    """Half the largest extent of a layer."""
    return (
        max(
            n * mm
            for layer in detector.layers
            for n, mm in zip(layer.shape, layer.cell_mm, strict=True)
        )
        / 2
    )


__all__ = ["depth_shares", "depths_mm", "half_width_mm", "overlap", "polar_shares"]
