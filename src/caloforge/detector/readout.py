"""Which cells are summed into which read-out channel.

Shapes: K cells (all layers, flat), a cell [x][y] of a layer (nx, ny) has number ``x * ny + y``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from caloforge.detector.features import Description


class Channels(Description):
    """A named read-out scheme: which channel each cell is summed into."""

    scheme: str
    labels: tuple[str, ...]
    of_cell: tuple[int, ...]
    """Channel number of each flat cell; -1 where the cell is not read out."""
    source: str

    @model_validator(mode="after")
    def _has_its_channels(self) -> Channels:
        if self.of_cell and not -1 <= min(self.of_cell) <= max(self.of_cell) < len(self.labels):
            last = len(self.labels) - 1
            raise ValueError(f"scheme {self.scheme}: of_cell goes beyond the labels, -1 to {last}")
        return self

    @cached_property
    def matrix(self) -> NDArray[np.float32]:
        """Membership of cells in channels, so that sums are one product.  (K, channels)"""
        members = np.asarray(self.of_cell)[:, None] == np.arange(len(self.labels))
        return members.astype(np.float32)


def by_layer(cells: Mapping[str, int], source: str) -> Channels:
    """The scheme whose channels are the layers, from how many cells each has."""
    return Channels(
        scheme="layers",
        labels=tuple(cells),
        of_cell=tuple(number for number, count in enumerate(cells.values()) for _ in range(count)),
        source=source,
    )


def checkerboard(
    shape: tuple[int, int],
    *,
    scheme: str,
    common_parity: int,
    towers: NDArray[np.int64],
    labels: tuple[str, ...],
    source: str,
) -> Channels:
    """A scheme in which every other cell feeds the common channel (the last one), others a tower.

    A cell [x][y] is common when ``(x + y) % 2 == common_parity``; else it feeds ``towers[x][y]``.
    """
    x, y = np.indices(shape)
    channel = np.where((x + y) % 2 == common_parity, len(labels) - 1, towers)
    return Channels(
        scheme=scheme, labels=labels, of_cell=tuple(channel.ravel().tolist()), source=source
    )


def quadrants(shape: tuple[int, int], order: tuple[int, int, int, int]) -> NDArray[np.int64]:
    """Tower number of each cell.  (nx, ny)

    ``order`` names the towers at (low x, low y), (low, high), (high, low) and (high, high).
    """
    x, y = np.indices(shape)
    corner = 2 * (x >= shape[0] // 2) + (y >= shape[1] // 2)
    return np.asarray(order)[corner]
