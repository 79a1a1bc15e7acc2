"""Showers in memory: one row is one shower of one particle.

Shapes: N rows, K cells, C conditions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.particles import Groups, check_same_conditions, groups_of
from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.reporter import table_of


def cell_type(detector: Detector) -> np.dtype[Any]:
    """The type that cells are kept in: uint16 where they are counts, else float32."""
    return np.dtype(np.uint16 if detector.counts else np.float32)


@dataclass(frozen=True, repr=False)
class Showers:
    """Rows of showers with the particles that made them; ``showers[10:20]`` are some of them.

    Raises:
        DataError: when shapes or types disagree with the detector.

    Example:
        >>> import numpy as np
        >>> from caloforge import Showers, detector_of_name
        >>> zp = detector_of_name("alice_zp")
        >>> cells = np.zeros((2, zp.cells), dtype=np.uint16)
        >>> showers = Showers(zp, cells, np.ones((2, 9)), particle=np.array([7, 7]))
        >>> len(showers), showers.total()
        (2, array([0., 0.]))
        >>> showers[showers.particle == 7][:1]
        Showers(1 of alice_zp, particles: 1, cells: 1680)
    """

    detector: Detector
    cells: NDArray[Any]
    """Whole counts (uint16), or deposits (float32), in the detector's unit.  (N, K)"""
    conditions: NDArray[np.float64]
    """In the detector's columns and units.  (N, C)"""
    particle: NDArray[np.int64]
    """Equal numbers are repeats of one particle.  (N,)"""
    pdg: NDArray[np.int32] | None = None
    cpu_seconds: NDArray[np.float32] | None = None
    """What the engine spent on each shower.  (N,)"""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Engine, seed, source, licence: whatever the file says of itself."""
    overflow: NDArray[np.float32] | None = None
    """What was deposited beside the cells of each layer, in the detector's unit.  (N, layers)"""

    def __post_init__(self) -> None:
        expected = {
            "cells": ((len(self), self.detector.cells), cell_type(self.detector)),
            "conditions": ((len(self), len(self.detector.columns)), np.dtype(np.float64)),
            "particle": ((len(self),), np.dtype(np.int64)),
            "pdg": ((len(self),), np.dtype(np.int32)),
            "cpu_seconds": ((len(self),), np.dtype(np.float32)),
            "overflow": ((len(self), len(self.detector.layers)), np.dtype(np.float32)),
        }
        for name, (shape, dtype) in expected.items():
            array = getattr(self, name)
            if array is not None and (array.shape != shape or array.dtype != dtype):
                raise DataError(
                    f"{name} of {self.detector.name} showers must be {dtype} {shape}, "
                    f"not {array.dtype} {array.shape}"
                )

    def __len__(self) -> int:
        return len(self.particle)

    def __getitem__(self, index: int | slice | NDArray[Any]) -> "Showers":
        """Some rows: a number, a slice, numbers or a mask."""
        if isinstance(index, int | np.integer):
            index = range(len(self))[index]  # raises IndexError as a list does
            return self.rows(slice(index, index + 1))
        return self.rows(index)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}: {value}" for name, value in self._sizes.items())
        return f"Showers({len(self)} of {self.detector.name}, {counts})"

    def _repr_html_(self) -> str:
        mean = float(self.total().mean()) if len(self) else float("nan")
        rows = self._sizes | {f"mean total [{self.detector.unit}]": mean}
        return table_of(f"{len(self)} showers of {self.detector.name}", rows)

    @property
    def _sizes(self) -> dict[str, Any]:
        return {"particles": len(np.unique(self.particle)), "cells": self.detector.cells}

    def rows(self, index: NDArray[Any] | slice) -> "Showers":
        """The rows at these places (numbers, mask or slice)."""
        return Showers(
            self.detector,
            self.cells[index],
            self.conditions[index],
            self.particle[index],
            None if self.pdg is None else self.pdg[index],
            None if self.cpu_seconds is None else self.cpu_seconds[index],
            self.provenance,
            None if self.overflow is None else self.overflow[index],
        )

    def of_particles(self, ids: NDArray[np.int64]) -> "Showers":
        """All rows of the named particles, in the order they stand here."""
        return self.rows(np.isin(self.particle, ids))

    def total(self) -> NDArray[np.float64]:
        """Sum over all cells, in the detector's unit.  (N,)"""
        return np.asarray(self.cells.sum(axis=1, dtype=np.float64))

    def groups(self) -> Groups:
        """Where the rows of each particle stand; DataError when they are not adjacent."""
        return groups_of(self.particle)


def join(parts: Sequence[Showers]) -> Showers:
    """All rows of several showers of one detector.  (N, K) each -> (sum of N, K)

    Args:
        parts: At least one; a column that one of them lacks is left out.

    Raises:
        DataError: They share a particle number, or are of different detectors.

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> from caloforge.data.showers import read
        >>> showers = read(sample_path("alice_zp"))
        >>> len(join([showers.rows(slice(0, 8)), showers.rows(slice(8, 24))]))
        24
    """
    if len(parts) == 1:
        return parts[0]
    if len({part.detector.fingerprint for part in parts}) > 1:
        names = ", ".join(dict.fromkeys(part.detector.name for part in parts))
        raise DataError(f"showers of different detectors are not joined: {names}")
    numbers = np.concatenate([np.unique(part.particle) for part in parts])
    if len(np.unique(numbers)) < len(numbers):
        raise DataError("showers that are joined share particle numbers")
    columns: dict[str, Any] = {}
    for name in ("cells", "conditions", "particle", "pdg", "cpu_seconds", "overflow"):
        every = [getattr(part, name) for part in parts]
        columns[name] = None if any(one is None for one in every) else np.concatenate(every)
    return replace(parts[0], **columns)


def check_values(showers: Showers) -> None:
    """Raise DataError unless conditions are finite and shared by a particle, and cells possible."""
    check_conditions(showers.detector, showers.conditions)
    check_same_conditions(showers.particle, showers.conditions)
    check_cells(showers.detector, showers.cells)
    if showers.overflow is not None:
        check_overflow(showers.overflow)


def check_conditions(detector: Detector, conditions: NDArray[np.float64]) -> None:
    """Raise DataError naming the first row and column that is not finite."""
    bad = np.argwhere(~np.isfinite(conditions))
    if len(bad):
        row, column = bad[0]
        raise DataError(f"row {row}: condition {detector.columns[column]} is not a finite number")


def check_cells(detector: Detector, cells: NDArray[Any]) -> None:
    """Raise DataError when cells are not finite, negative, or counts beyond 65535."""
    if cells.dtype == np.uint16:
        return
    if cells.dtype.kind == "f" and not np.isfinite(cells).all():
        raise DataError("a cell is NaN or infinite")
    if not detector.signed and cells.size and cells.min() < 0:
        raise DataError(f"a cell is negative ({cells.min()} {detector.unit})")
    if detector.counts and cells.size and cells.max() > np.iinfo(np.uint16).max:
        raise DataError(f"a cell holds {cells.max()} {detector.unit}, more than 65535")


def check_overflow(overflow: NDArray[Any]) -> None:
    """Raise DataError naming the first row whose overflow is negative or no number."""
    if len(bad := np.flatnonzero(~((overflow >= 0) & np.isfinite(overflow)).all(axis=1))):
        raise DataError(f"row {bad[0]}: overflow is negative or not a finite number")
