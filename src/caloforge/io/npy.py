"""Arrays in .npy and .npz files, walked through by rows; pickles are never loaded."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.io.reading import reading, require_regular_file

KEY = "arr_0"
NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK"
LARGEST_DEFLATION = 1100
"""zlib shrinks at most 1032 times; a member that claims more is lying about its size."""
LARGEST_BYTES = 2**33
"""Of an array that is read as a whole."""
MOST_MEMBERS = 10_000


class StoredArray:
    """One array of a file: its shape and type are known before any value is read.

    ``key`` names the array of an npz; without it, the only one or ``arr_0``.
    """

    held = None
    """Nothing of it is kept in memory."""

    def __init__(self, path: Path, key: str | None = None) -> None:
        self.path, self._key = path, key
        self.others: tuple[str, ...] = ()
        """Arrays of the file that are left out."""
        with self._open() as (stream, size):
            self.shape, self.fortran, self.dtype = _header(stream)
            n_bytes = int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize
            if n_bytes + stream.tell() != size:
                raise DataError(f"claims {n_bytes} bytes of values, holds {size - stream.tell()}")

    def __len__(self) -> int:
        return int(self.shape[0])

    def chunks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Rows of the array, so many at a time.  (rows, ...)"""
        if self.fortran:
            # Its rows lie scattered over the whole file.
            values = self.whole()
            yield from (values[start : start + rows] for start in range(0, len(self), rows))
            return
        row_shape = self.shape[1:]
        row_bytes = int(np.prod(row_shape)) * self.dtype.itemsize
        with self._open() as (stream, _):
            _header(stream)
            for start in range(0, len(self), rows):
                count = min(rows, len(self) - start)
                content = stream.read(count * row_bytes)
                if len(content) != count * row_bytes:
                    raise DataError(f"ends at row {start + len(content) // row_bytes}")
                yield np.frombuffer(content, self.dtype).reshape(count, *row_shape)

    def whole(self) -> NDArray[Any]:
        """All rows, copied."""
        size = int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize
        if size > LARGEST_BYTES:
            raise DataError(f"{self.path}: holds {size} bytes in one array: too many")
        with self._open() as (stream, _):
            _header(stream)
            content = stream.read(size)
            if len(content) != size:
                raise DataError(f"ends after {len(content)} of {size} bytes")
            order: Any = "F" if self.fortran else "C"
            return np.frombuffer(content, self.dtype).reshape(self.shape, order=order).copy("C")

    @contextmanager
    def _open(self) -> Iterator[tuple[IO[bytes], int]]:
        """The stream of the array and how many bytes it holds."""
        require_regular_file(self.path)
        with reading(self.path), self.path.open("rb") as file:
            if file.read(len(NPY_MAGIC)) == NPY_MAGIC:
                file.seek(0)
                yield file, self.path.stat().st_size
                return
            with zipfile.ZipFile(file) as archive:
                member = self._member(archive)
                with archive.open(member) as stream:
                    yield stream, member.file_size

    def _member(self, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
        members = _members(archive)
        key = self._key or (next(iter(members)) if len(members) == 1 else KEY)
        if key not in members:
            raise DataError(f"has no array {key}; it has {', '.join(members) or 'none'}")
        self.others = tuple(name for name in members if name != key)
        return members[key]


def names_in(path: Path) -> tuple[str, ...]:
    """Names of the arrays of an npz; DataError when it is none."""
    require_regular_file(path)
    with reading(path), zipfile.ZipFile(path) as archive:
        return tuple(_members(archive))


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Arrays by name; DataError for an archive that numpy does not write."""
    entries = archive.infolist()
    if len(entries) > MOST_MEMBERS:
        raise DataError(f"holds {len(entries)} arrays")
    if min((entry.header_offset for entry in entries), default=0):
        raise DataError("has other bytes before its arrays, perhaps another archive: rows are lost")
    members = {entry.filename.removesuffix(".npy"): entry for entry in entries}
    if len(members) != len(entries):
        raise DataError("holds two arrays of one name")
    for name, entry in members.items():
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{name} is compressed in a way that numpy does not write")
        if entry.file_size > entry.compress_size * LARGEST_DEFLATION + 4096:
            raise DataError(f"{name} claims {entry.file_size} bytes in {entry.compress_size}")
    return members


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    if version not in HEADERS:
        raise DataError(f"npy version {version} is not known")
    shape, fortran, dtype = HEADERS[version](stream)
    if dtype.hasobject:
        raise DataError("holds Python objects (a pickle); those are never loaded")
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or not shape or min(shape) < 0:
        raise DataError(f"holds {dtype} {shape}, not rows of numbers")
    return shape, fortran, dtype


HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
