"""Rows at hand: all of them when they are in memory, a bounded buffer of them when in a file."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.data.particles import Groups
from caloforge.data.reading import ShowerFile
from caloforge.data.record import Showers, cell_type

READ_ROWS = 2048


class Rows(Protocol):
    """Gives the cells of whole particles."""

    def fill(self, places: NDArray[np.int64]) -> None:
        """Have the particles at these places of the groups at hand, forget others."""

    def of(self, place: int) -> NDArray[Any]:
        """Cells of a particle that is at hand.  (repeats, K)"""


class MemoryRows:
    """Showers that are in memory anyway."""

    def __init__(self, showers: Showers, groups: Groups) -> None:
        self._cells, self._groups = showers.cells, groups

    def fill(self, places: NDArray[np.int64]) -> None:
        """Nothing to do."""

    def of(self, place: int) -> NDArray[Any]:
        """Cells of a particle.  (repeats, K)"""
        start = int(self._groups.starts[place])
        return self._cells[start : start + int(self._groups.counts[place])]


class FileRows:
    """A buffer filled from a file; only what it holds is in memory."""

    def __init__(self, file: ShowerFile, groups: Groups) -> None:
        self._file, self._groups = file, groups
        self._offset: dict[int, int] = {}
        self._cells = np.empty((0, file.detector.cells), cell_type(file.detector))

    def fill(self, places: NDArray[np.int64]) -> None:
        """Read the particles at these places, which are in the order of the file."""
        held = self._groups.take(places)
        wanted = held.row_index()
        if len(wanted) > len(self._cells):
            # The old buffer goes first: two of them would double the memory.
            self._cells = self._cells[:0].copy()
            self._cells = np.empty((len(wanted), self._file.detector.cells), self._cells.dtype)
        self._offset = dict(
            zip(places.tolist(), (np.cumsum(held.counts) - held.counts).tolist(), strict=True)
        )
        position = 0
        while position < len(wanted):
            start = int(wanted[position])
            end = int(np.searchsorted(wanted, start + READ_ROWS))
            rows = wanted[position:end]
            self._cells[position:end] = self._file.cells(start, int(rows[-1]) + 1)[rows - start]
            position = end

    def of(self, place: int) -> NDArray[Any]:
        """Cells of a particle in the buffer.  (repeats, K)"""
        start = self._offset[place]
        return self._cells[start : start + int(self._groups.counts[place])]


def rows_of(source: Showers | ShowerFile, groups: Groups, buffer_rows: int) -> tuple[Rows, int]:
    """Access to the rows of these particles, and how many may be at hand at once."""
    if isinstance(source, Showers):
        return MemoryRows(source, groups), max(buffer_rows, int(groups.counts.sum()))
    return FileRows(source, groups), buffer_rows
