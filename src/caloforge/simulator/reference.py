"""The sixteen stored answers by which any runtime can tell that it computes what was exported.

Shapes: N triples (16), Z latents, C conditions, K cells.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.io.npy import StoredArray, names_in

TRIPLES = 16
RELATIVE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Reference:
    """Latents, physical conditions and the expected cells that belong to them."""

    latent: NDArray[np.float32]
    conditions: NDArray[np.float32]
    response: NDArray[np.float32]

    def write(self, path: Path) -> None:
        """Write an npz file; its arrays are numbers, so none is pickled."""
        np.savez_compressed(path, **vars(self))

    def difference(self, response: NDArray[np.float32]) -> float:
        """Largest deviation of an answer, as a share of the largest expected cell."""
        scale = float(np.abs(self.response).max())
        return float(np.abs(response - self.response).max()) / (scale or 1.0)


def read_reference(path: Path, latent: int, conditions: int, cells: int) -> Reference:
    """Stored triples of these sizes; sizes are checked before anything is allocated.

    Raises DataError for a file that is none, holds objects, or has other names or shapes.
    """
    names = [part.name for part in fields(Reference)]
    sizes = (latent, conditions, cells)
    try:
        if sorted(present := names_in(path)) != sorted(names):
            raise DataError(f"holds {present[:9]}, not {names}")
        return Reference(*(_array(path, *pair) for pair in zip(names, sizes, strict=True)))
    except DataError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise DataError(f"{path} is no file of reference triples: {reason}") from error


def _array(path: Path, name: str, width: int) -> NDArray[np.float32]:
    """One array of the file, float32 of the expected shape.  (16, width)"""
    array, expected = StoredArray(path, name), (TRIPLES, width)
    layout = (array.shape, array.dtype, array.fortran)
    if layout != (expected, np.dtype(np.float32), False):
        raise DataError(f"{name} is {array.dtype} {array.shape}, not float32 {expected}")
    values = array.whole()
    if not np.isfinite(values).all():
        raise DataError(f"{name} holds values that are not finite")
    return values
