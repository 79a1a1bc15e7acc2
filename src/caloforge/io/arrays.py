"""The one way in for arrays of numbers by name: from HDF5, npz, npy and text.

Nothing is trusted: pipes, devices, links and storage elsewhere, pickles, and sizes that a file of
its length cannot hold are refused before anything is allocated; numbers are checked, not cast.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.io import hdf5
from caloforge.io.hdf5 import HDF5_MAGIC
from caloforge.io.npy import NPY_MAGIC, ZIP_MAGIC, StoredArray, names_in
from caloforge.io.reading import reading, require_regular_file

LARGEST_TEXT_BYTES = 2**28


class Arrays(Protocol):
    """Arrays of an open file."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the arrays."""

    def array(self, name: str, rank: int | None) -> NDArray[Any]:
        """The values of an array; DataError when it is missing or not credible."""


class ArrayFile:
    r"""The arrays of an open file by name; each read is checked.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "particles.csv"
    >>> _ = path.write_text("Energy, pdg\n10.5, 22\n")
    >>> with open_arrays(path) as arrays:
    ...     arrays.floats("Energy"), arrays.whole_numbers("pdg", np.int32)
    (array([10.5]), array([22], dtype=int32))
    """

    def __init__(self, path: Path, arrays: Arrays) -> None:
        self.path, self._arrays = path, arrays
        self.names = tuple(arrays.names)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def floats(
        self, name: str, rank: int | None = 1, *, unknown: bool = False
    ) -> NDArray[np.float64]:
        """An array of finite numbers.  (N, ...)

        Args:
            name: of the array.
            rank: number of axes; None: any.
            unknown: NaN is allowed and stands for a number that nobody measured.

        Raises:
            DataError: it is missing, of other axes, or holds NaN or infinity.
        """
        with reading(self.path):
            return finite_numbers(self._array(name, rank), name, unknown=unknown)

    def whole_numbers(self, name: str, dtype: type[np.integer[Any]] = np.int64) -> NDArray[Any]:
        """A column of whole numbers that fit the type.  (N,)

        Raises:
            DataError: it is missing, of other axes, or holds a number that is not whole or does
                not fit.
        """
        with reading(self.path):
            return whole_numbers(self._array(name, 1), name, dtype)

    def _array(self, name: str, rank: int | None) -> NDArray[Any]:
        if name not in self:
            there = ", ".join(self.names) or "nothing"
            raise DataError(f"has no {name}; it has {there}")
        return self._arrays.array(name, rank)


@contextmanager
def open_arrays(path: Path) -> Iterator[ArrayFile]:
    """Open the arrays of an HDF5 file, an npz, or a table of text with a header.

    Args:
        path: What it is follows from its first bytes; text where they say nothing.

    Raises:
        DataError: there is no such file, or it cannot be read as any of these.
    """
    require_regular_file(path)
    with reading(path), path.open("rb") as stream:
        head = stream.read(8)
    if head == HDF5_MAGIC or h5py.is_hdf5(path):
        with hdf5.open_hdf5(path) as file:
            yield ArrayFile(path, _Hdf5Arrays(path, file))
    elif head.startswith(ZIP_MAGIC):
        yield ArrayFile(path, _NpzArrays(path))
    elif head.startswith(NPY_MAGIC):
        raise DataError(f"{path} holds an array without a name: save it with np.savez")
    else:
        yield ArrayFile(path, _Table(path))


class _Hdf5Arrays:
    def __init__(self, path: Path, file: h5py.File) -> None:
        self._file = file
        with reading(path):
            self.names = [name for name in file if hdf5.has(file, name)]

    def array(self, name: str, rank: int | None) -> NDArray[Any]:
        return hdf5.whole(hdf5.dataset(self._file, name, "iuf", rank))


class _NpzArrays:
    def __init__(self, path: Path) -> None:
        self._path, self.names = path, names_in(path)

    def array(self, name: str, rank: int | None) -> NDArray[Any]:
        array = StoredArray(self._path, name)
        _check_rank(name, len(array.shape), rank)
        return array.whole()


class _Table:
    """Columns of a table in text: comma-separated, its header names them.

    Spaces around commas and a byte order mark are taken as what they are: nothing.
    """

    def __init__(self, path: Path) -> None:
        with reading(path):
            if (size := path.stat().st_size) > LARGEST_TEXT_BYTES:
                raise DataError(f"is a text of {size} bytes: write HDF5 or npz")
            self.names, self._rows = _rows_of(path)

    def array(self, name: str, rank: int | None) -> NDArray[Any]:
        _check_rank(name, 1, rank)
        place = self.names.index(name)
        column = [_number(row[place], name, number) for number, row in enumerate(self._rows)]
        try:
            return np.array(column, dtype=np.int64 if _all_whole(column) else np.float64)
        except OverflowError:
            raise DataError(f"column {name} holds a number beyond 64 bits") from None


def _rows_of(path: Path) -> tuple[list[str], list[list[str]]]:
    """Names and rows of a table in text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("is neither HDF5 nor npz, and no text in UTF-8") from None
    lines = csv.reader(text.splitlines(), skipinitialspace=True, strict=True)
    names = [name.strip() for name in next(lines, [])]
    if not names or not all(names) or len(set(names)) != len(names):
        raise DataError("is no table: its first line must name each column once")
    rows = [row for row in lines if row]
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise DataError(f"row {number} has {len(row)} numbers, the header {len(names)} names")
    return names, rows


def _number(text: str, name: str, row: int) -> int | float:
    digits = text.strip()
    try:
        if "_" in digits:
            raise ValueError("Python reads 22_0 as 220")
        # int() first: a float would round particle numbers beyond 2**53.
        return int(digits) if digits.lstrip("+-").isdigit() else float(digits)
    except ValueError:
        raise DataError(f"row {row}: {name} is {text[:40]!r}, not a number") from None


def _all_whole(column: list[int | float]) -> bool:
    return all(isinstance(value, int) for value in column)


def _check_rank(name: str, axes: int, rank: int | None) -> None:
    if rank not in (None, axes):
        raise DataError(f"{name} has {axes} axes, not {rank}")


def finite_numbers(
    values: NDArray[Any], what: str, *, unknown: bool = False
) -> NDArray[np.float64]:
    """The values as float64; DataError naming the first row that is NaN or infinite.  (N, ...)

    ``unknown`` lets NaN pass.
    """
    numbers = np.asarray(values, dtype=np.float64)
    wrong = np.isinf(numbers) if unknown else ~np.isfinite(numbers)
    if len(bad := np.argwhere(wrong)):
        raise DataError(f"row {bad[0][0]}: {what} is not a finite number")
    return numbers


def whole_numbers(
    values: NDArray[Any], what: str, dtype: type[np.integer[Any]] = np.int64
) -> NDArray[Any]:
    """The values as whole numbers of that type; DataError naming the first that is none.  (N,)

    Args:
        values: Numbers of any type.  (N,)
        what: What they are called in an error.
        dtype: A type of whole numbers.

    Raises:
        DataError: a value is NaN, infinite, not whole, or beyond the type.

    >>> whole_numbers(np.array([22.0]), "pdg", np.int32)
    array([22], dtype=int32)
    >>> whole_numbers(np.array([2112.5]), "pdg", np.int32)
    Traceback (most recent call last):
    caloforge.errors.DataError: row 0: pdg is 2112.5, not a whole number
    """
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        raise DataError(f"{what} is of type {values.dtype}, not numbers")
    limits = np.iinfo(dtype)
    if values.dtype.kind == "f":
        values = values.astype(np.float64)  # a float16 cannot hold the limits
        with np.errstate(invalid="ignore"):
            wrong = ~(np.isfinite(values) & (values == np.rint(values)))
            # float(max) rounds up for 64 bits: "<", not "<=".
            beyond = ~((values >= float(limits.min)) & (values < float(limits.max) + 1.0))
    else:
        wrong = np.zeros(values.shape, dtype=bool)
        beyond = (values < limits.min) | (values > limits.max)
    for bad, reason in ((wrong, "not a whole number"), (beyond, f"beyond {limits.dtype}")):
        if len(rows := np.argwhere(bad)):
            value = values[tuple(rows[0])]
            raise DataError(f"row {rows[0][0]}: {what} is {value}, {reason}")
    return values.astype(dtype)
