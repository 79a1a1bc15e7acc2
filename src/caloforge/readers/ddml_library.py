"""What DDML's LoadHdf5 makes of a library of showers, with RegularGridGANModel behind it.

Contract: DDML/src/LoadHdf5.cc: one float dataset, ``layers`` in older versions and ``events`` in
newer ones, rank 4 with the shower first; a shower is handed on flat, and the model takes the layer
for the slowest index, then X, then Y. After the last shower the reader runs out of its array.
"""

from __future__ import annotations

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.readers.bundle import Bundle
from caloforge.readers.ddml import Grid
from caloforge.readers.how import How
from caloforge.readers.verdict import Finding, Verdict, numbers_agree

FILE = "library.h5"
DATASETS = ("layers", "events")
LARGEST_BYTES = 2**36


class LibraryReader:
    """The showers of a library, one after the other; DataError where DDML could not read it."""

    def __init__(self, bundle: Bundle, dataset: str = DATASETS[0]) -> None:
        self.grid, path, self.count = Grid(bundle), bundle.file(FILE), 0
        try:
            with h5py.File(path, "r") as file:
                self.library = self._read(file, dataset)
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path} cannot be read: {error}") from error

    def _read(self, file: h5py.File, dataset: str) -> NDArray[np.float32]:
        if file.get(dataset, getlink=True).__class__ is not h5py.HardLink:
            raise ValueError(f"no dataset {dataset} in the file itself")
        found = file[dataset]
        if found.dtype.kind != "f" or found.shape[1:] != self.grid.cells:
            raise ValueError(
                f"{dataset} is {found.dtype} {found.shape}, not (N, *{self.grid.cells})"
            )
        if found.external or found.is_virtual or found.size * 4 > LARGEST_BYTES:
            raise ValueError(f"{dataset} lies elsewhere or is too large")
        return np.asarray(found[:], dtype=np.float32)

    def energies_mev(self) -> NDArray[np.float64]:
        """Hits of the next shower; DataError past the last one.  (layers, X, Y)"""
        if self.count >= len(self.library):
            raise DataError(f"the library holds {len(self.library)} showers; DDML reads on")
        shower = self.grid.place(self.library[self.count].ravel())
        self.count += 1
        return shower


def check(bundle: Bundle, how: How) -> Verdict:
    """Read all showers and compare their energy with what was generated."""
    del how
    readers = [LibraryReader(bundle, name) for name in DATASETS]
    bundle.require_checksums()
    library = readers[0].library
    finite = bool(np.isfinite(library).all() and (library >= 0).all())
    text = f"{len(library)} showers on a grid of {readers[0].grid.cells}"
    total = np.array([library.sum(dtype=np.float64)])
    wanted = np.array([float(bundle.card.reader["energy_mev"])])
    same = np.array_equal(readers[1].library, library)
    findings = (
        Finding("cells", finite and same, text, {"showers": len(library)}),
        numbers_agree("energy", total, wanted, tolerance=1e-4),
    )
    return Verdict("ddml-library", findings)


__all__ = ["DATASETS", "FILE", "LibraryReader", "check"]
