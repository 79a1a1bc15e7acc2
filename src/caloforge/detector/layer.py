"""One layer of a detector: its cells and where they are.

Shapes: a layer of shape (nx, ny); the cell [x][y] has the flat number ``x * ny + y``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from caloforge.detector.features import Description

LARGEST_CELLS, LARGEST_MM = 2**20, 1e6
"""More than any detector has; descriptions from files are held to it."""


class Layer(Description):
    """A plane of cells: axis 0 along x and axis 1 along y, or axis 0 alpha and axis 1 r.

    In rings, sectors count from alpha = -pi and x = r cos(alpha), y = r sin(alpha); a whole ring,
    which is one cell, is in the middle.
    """

    name: str
    shape: tuple[int, int]
    cell_mm: tuple[float, float]
    """Of rings, mean arc and mean width."""
    depth_mm: float | None = None
    ring_edges_mm: tuple[float, ...] | None = None
    """Radii between rings, one more than there are rings; None for a plane of x and y."""

    @model_validator(mode="after")
    def _rings_are_all_there(self) -> Layer:
        edges = self.ring_edges_mm
        if edges is not None and (
            len(edges) != self.shape[1] + 1
            or not np.isfinite(edges).all()
            or edges[0] < 0
            or (np.diff(edges) <= 0).any()
        ):
            raise ValueError(f"layer {self.name}: edges of {self.shape[1]} rings must rise from 0")
        return self

    @model_validator(mode="after")
    def _has_cells(self) -> Layer:
        if min(self.shape) < 1:
            raise ValueError(f"layer {self.name} has the shape {self.shape}")
        if not all(0 < size <= LARGEST_MM for size in self.cell_mm):
            raise ValueError(f"cells of {self.name} are {self.cell_mm} mm")
        if self.depth_mm is not None and not 0 < self.depth_mm <= LARGEST_MM:
            raise ValueError(f"layer {self.name} is {self.depth_mm} mm deep")
        return self

    @property
    def cells(self) -> int:
        """Number of cells of this layer."""
        return self.shape[0] * self.shape[1]

    def centres_mm(self, axis: int) -> NDArray[np.float64]:
        """Cell centres along an axis, in mm from the middle of the layer.  (n,)"""
        n = self.shape[axis]
        steps = np.arange(n, dtype=np.float64) - (n - 1) / 2
        return steps * self.cell_mm[axis]

    def places_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """X and y of each cell, from the middle of the layer, in mm.  2 x (nx, ny)"""
        if self.ring_edges_mm is None:
            x, y = np.meshgrid(self.centres_mm(0), self.centres_mm(1), indexing="ij")
            return x, y
        edges = np.asarray(self.ring_edges_mm)
        sectors = (np.arange(self.shape[0]) + 0.5) * (2 * np.pi / self.shape[0]) - np.pi
        alpha, r = np.meshgrid(sectors, (edges[1:] + edges[:-1]) / 2, indexing="ij")
        if len(sectors) == 1:
            return 0 * r, 0 * r
        return r * np.cos(alpha), r * np.sin(alpha)

    @property
    def axes(self) -> tuple[str, str]:
        """What runs along axis 0 and axis 1 of an image, with its unit."""
        return ("x [mm]", "y [mm]") if self.ring_edges_mm is None else ("sector", "ring")

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Edges of an image along axis 0 and axis 1: in mm, or numbers of sectors and rings."""
        if self.ring_edges_mm is not None:
            return (0.0, float(self.shape[0]), 0.0, float(self.shape[1]))
        x, y = (n * size / 2 for n, size in zip(self.shape, self.cell_mm, strict=True))
        return (-x, x, -y, y)

    @property
    def contract(self) -> list[object]:
        """What files must agree on."""
        rings = [] if self.ring_edges_mm is None else [self.ring_edges_mm]
        return [self.name, self.shape, self.cell_mm, *rings]
