"""Arrays in .npy and .npz files, walked through by rows; pickles are never loaded."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from caloforge.errors import CaloforgeError, DataError

KEY = "arr_0"
NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK"
LARGEST_DEFLATION = 1100
"""zlib shrinks at most 1032 times; a member that claims more is lying about its size."""


class StoredArray:
    """One array of a file: its shape and type are known before any value is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as (stream, stored):
            self.shape, self.dtype = self._header(stream)
            claimed = int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize
            if claimed + stream.tell() != stored:
                raise DataError(f"claims {claimed} bytes of values, holds {stored - stream.tell()}")

    held = None
    """Nothing of it is kept in memory."""

    def __len__(self) -> int:
        return int(self.shape[0])

    def chunks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Rows of the array, so many at a time.  (rows, ...)"""
        row_shape = self.shape[1:]
        row_bytes = int(np.prod(row_shape)) * self.dtype.itemsize
        with self._open() as (stream, _):
            self._header(stream)
            for start in range(0, len(self), rows):
                count = min(rows, len(self) - start)
                content = stream.read(count * row_bytes)
                if len(content) != count * row_bytes:
                    raise DataError(f"ends at row {start + len(content) // row_bytes}")
                yield np.frombuffer(content, self.dtype).reshape(count, *row_shape)

    def whole(self) -> NDArray[Any]:
        """All rows, copied."""
        return np.concatenate(list(self.chunks(max(1, len(self)))))

    @contextmanager
    def _open(self) -> Iterator[tuple[IO[bytes], int]]:
        """The stream of the array and how many bytes it holds."""
        with _reading(self.path), self.path.open("rb") as file:
            if file.read(len(NPY_MAGIC)) == NPY_MAGIC:
                file.seek(0)
                yield file, self.path.stat().st_size
                return
            with zipfile.ZipFile(file) as archive:
                member = self._member(archive)
                with archive.open(member) as stream:
                    yield stream, member.file_size

    def _member(self, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        key = names[0] if len(names) == 1 else KEY
        if key not in names:
            raise DataError(f"has no array {KEY}; it has {', '.join(names) or 'none'}")
        member = archive.getinfo(archive.namelist()[names.index(key)])
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{key} is compressed in a way that numpy does not write")
        if member.file_size > member.compress_size * LARGEST_DEFLATION + 4096:
            raise DataError(f"{key} claims {member.file_size} bytes in {member.compress_size}")
        return member

    def _header(self, stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
        version = npy.read_magic(stream)
        if version not in HEADERS:
            raise DataError(f"npy version {version} is not known")
        shape, fortran, dtype = HEADERS[version](stream)
        if dtype.hasobject:
            raise DataError("holds Python objects (a pickle); those are never loaded")
        if dtype.kind not in "iuf" or fortran or not shape:
            raise DataError(f"holds {dtype} {shape}, not rows of numbers in C order")
        return shape, dtype


HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever a damaged archive raises into one line that names the file."""
    try:
        yield
    except CaloforgeError as error:
        raise DataError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    except (
        OSError,
        EOFError,
        RuntimeError,
        LookupError,
        ValueError,
        TypeError,
        SyntaxError,
        ArithmeticError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise DataError(f"{path}: truncated or damaged ({str(error)[:120]})") from error
