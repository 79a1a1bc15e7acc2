"""The particles to transport: read from a file, with their PDG numbers.

Shapes: P particles, C conditions. Files: a showers file or any HDF5 or npz with ``conditions`` (and
``pdg``, ``particle``), or a table in text (csv) whose header names the detector's columns.
"""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.errors import DataError, UsageError
from caloforge.species import SPECIES


@dataclass(frozen=True)
class Particles:
    """What is shot, one row a particle."""

    pdg: NDArray[np.int32]
    conditions: NDArray[np.float64]
    number: NDArray[np.int64]
    """Names the particle in the output and in its seeds."""
    source: str

    def __len__(self) -> int:
        return len(self.pdg)

    def first(self, count: int | None) -> Particles:
        """The first particles; UsageError where there are fewer."""
        if count is None:
            return self
        if count > len(self):
            raise UsageError(f"{self.source} holds {len(self)} particles, not {count}")
        rows = slice(count)
        return replace(
            self, pdg=self.pdg[rows], conditions=self.conditions[rows], number=self.number[rows]
        )

    @property
    def fingerprint(self) -> str:
        """Hash of all numbers, so that a resumed run meets the same particles."""
        digest = hashlib.sha256()
        for array in (self.pdg, self.conditions, self.number):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def read_particles(path: Path, detector: Detector) -> Particles:
    """Particles of a file, one row for each even where it holds repeats.

    Raises DataError when the file is missing, foreign, or lacks a column or a known type.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: particles come as {', '.join(READERS)}")
    try:
        return _checked(path, detector, reader(path, detector))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as particles: {error}") from None


Arrays = dict[str, NDArray[np.float64]]


def _checked(path: Path, detector: Detector, arrays: Arrays) -> Particles:
    conditions = np.asarray(arrays["conditions"], dtype=np.float64)
    if conditions.ndim != 2 or conditions.shape[1] != len(detector.columns) or not len(conditions):
        raise DataError(
            f"{path}: conditions are {conditions.shape}, not rows of {list(detector.columns)}"
        )
    if not np.isfinite(conditions).all():
        row = int(np.argmin(np.isfinite(conditions).all(axis=1)))
        raise DataError(f"{path}: the conditions of row {row} are not finite")
    number = np.asarray(arrays.get("particle", np.arange(len(conditions))), dtype=np.int64)
    pdg = np.asarray(arrays["pdg"] if "pdg" in arrays else types_of(path, detector, conditions))
    if not len(number) == len(pdg) == len(conditions):
        raise DataError(f"{path}: conditions, pdg and particle have different lengths")
    _, rows = np.unique(number, return_index=True)
    rows = np.sort(rows)
    if (number[rows] < 0).any():
        raise DataError(f"{path}: particle numbers must not be negative")
    return Particles(pdg[rows].astype(np.int32), conditions[rows], number[rows], str(path))


def types_of(path: Path, detector: Detector, conditions: NDArray[np.float64]) -> NDArray[np.int32]:
    """PDG numbers by mass (within 0.5 %) and charge.  (P,); DataError where nothing fits."""
    if not {"mass", "charge"} <= set(detector.columns):
        raise DataError(f"{path}: the particles' types are not known; give a column pdg")
    mass, charge = (conditions[:, detector.column(name)] for name in ("mass", "charge"))
    pdg = np.zeros(len(conditions), np.int32)
    for species in SPECIES.values():
        near = np.abs(mass - species.mass_mev) <= max(0.005 * species.mass_mev, 1e-3)
        pdg[(charge == species.charge) & near & (pdg == 0)] = species.pdg
    if not pdg.all():
        row = int(np.argmin(pdg != 0))
        raise DataError(
            f"{path}: row {row}: no particle of {mass[row]} MeV and charge {charge[row]}"
        )
    return pdg


def _read_hdf5(path: Path, detector: Detector) -> Arrays:
    import h5py

    with h5py.File(path) as file:
        return {name: file[name][:] for name in ("conditions", "pdg", "particle") if name in file}


def _read_npz(path: Path, detector: Detector) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in ("conditions", "pdg", "particle") if name in file}


def _read_csv(path: Path, detector: Detector) -> Arrays:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = (
        {name: np.array([float(row[name]) for row in rows]) for name in rows[0]} if rows else {}
    )
    if missing := [name for name in detector.columns if name not in columns]:
        raise DataError(f"{path}: no column {missing[0]}; wanted {', '.join(detector.columns)}")
    found = {name: columns[name] for name in ("pdg", "particle") if name in columns}
    return {"conditions": np.stack([columns[name] for name in detector.columns], axis=1), **found}


READERS: dict[str, Callable[[Path, Detector], Arrays]] = {
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".npz": _read_npz,
    ".csv": _read_csv,
}
