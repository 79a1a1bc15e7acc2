"""The sixteen stored answers by which any runtime can tell that it computes what was exported.

Shapes: N triples (16), Z latents, C conditions, K cells.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError

TRIPLES = 16
RELATIVE_TOLERANCE = 1e-4
HEADER_BYTES = 4096


@dataclass(frozen=True)
class Reference:
    """Latents, physical conditions and the expected cells that belong to them."""

    latent: NDArray[np.float32]
    conditions: NDArray[np.float32]
    response: NDArray[np.float32]

    def write(self, path: Path) -> None:
        """Write an npz file without pickle."""
        np.savez_compressed(path, allow_pickle=False, **self.__dict__)

    def difference(self, response: NDArray[np.float32]) -> float:
        """Largest deviation of an answer, as a share of the largest expected cell."""
        scale = float(np.abs(self.response).max())
        return float(np.abs(response - self.response).max()) / (scale or 1.0)


def read_reference(path: Path, latent: int, conditions: int, cells: int) -> Reference:
    """Stored triples of these sizes; sizes are checked before anything is allocated.

    Raises DataError for a file that is none, holds objects, or has other names or shapes.
    """
    sizes = (latent, conditions, cells)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [f"{part.name}.npy" for part in fields(Reference)]
            if sorted(archive.namelist()) != sorted(names):
                raise DataError(f"{path} holds {archive.namelist()[:9]}, not {names}")
            arrays = [_member(archive, *pair) for pair in zip(names, sizes, strict=True)]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{path} is no file of reference triples: {error}") from error
    return Reference(*arrays)


def _member(archive: zipfile.ZipFile, name: str, width: int) -> NDArray[np.float32]:
    """One array of the archive, float32 of the expected shape.  (16, width)"""
    expected = (TRIPLES, width)
    if archive.getinfo(name).file_size > 4 * TRIPLES * width + HEADER_BYTES:
        raise ValueError(f"{name} is larger than {expected} float32")
    with archive.open(name) as stream:
        shape, order, kind = _header(stream)
        if (shape, order, kind) != (expected, False, np.dtype(np.float32)):
            raise ValueError(f"{name} is {kind} {shape}, not float32 {expected}")
        values = np.frombuffer(stream.read(4 * TRIPLES * width), dtype=np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds values that are not finite")
    return values.reshape(expected)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, Fortran order and type from the head of an npy member."""
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("another npy version")
    return np.lib.format.read_array_header_1_0(stream, max_header_size=HEADER_BYTES)


__all__ = ["TRIPLES", "Reference", "read_reference"]
