"""What every writer of showers asks of rows before it writes any of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.data.particles import groups_of
from caloforge.data.record import Showers, check_values
from caloforge.detector import Detector
from caloforge.errors import DataError


class RowCheck:
    """Values, columns and order of the rows of one file, batch by batch.

    Args:
        path: the file, for errors.
        detector: the detector of all rows.
        columns: optional columns that every batch has to bring.
    """

    def __init__(self, path: Path, detector: Detector, columns: tuple[str, ...]) -> None:
        self.path = path
        self.detector = detector
        self.columns = columns
        self._ascending = True
        self._last: Showers | None = None

    def add(self, showers: Showers) -> None:
        """Take the next rows; a particle may go on from those before.

        Raises DataError, and takes none of them, where they cannot be written.
        """
        if showers.detector.fingerprint != self.detector.fingerprint:
            raise DataError(f"{showers.detector.name} rows in a {self.detector.name} file")
        if not len(showers):
            return
        for column in self.columns:
            if getattr(showers, column) is None:
                raise DataError(f"{self.path} was promised a column {column}, these rows lack it")
        check_values(showers)
        ids = groups_of(showers.particle).ids
        last = self._last
        if last is not None and last.particle[0] == ids[0]:
            if (last.conditions[0] != showers.conditions[0]).any():
                raise DataError(f"particle {ids[0]} has other conditions than before")
            ids = ids[1:]
        numbers = ids if last is None else np.append(last.particle, ids)
        self._ascending &= bool((numbers[1:] > numbers[:-1]).all())
        self._last = showers.rows(slice(len(showers) - 1, len(showers)))

    def finish(self, particles: Callable[[], NDArray[np.int64]]) -> None:
        """Raise DataError where no row came, or where a particle came back later.

        Args:
            particles: Reads the particle numbers of all rows from the file.
        """
        if self._last is None:
            raise DataError(f"{self.path}: there are no showers to write")
        # Ascending numbers cannot come back, so that none has to be remembered.
        if not self._ascending:
            groups_of(particles())
