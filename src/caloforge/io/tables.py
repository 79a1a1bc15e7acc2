"""Columns and arrays of a file by name, piece by piece: CSV, npz, HDF5, parquet, ROOT.

Like ``io.arrays``, which reads whole arrays: nothing is trusted, nothing in a file is executed, and
memory stays that of a piece. Shapes: n rows of a piece.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.io import hdf5
from caloforge.io.hdf5 import HDF5_MAGIC
from caloforge.io.npy import LARGEST_DEFLATION, ZIP_MAGIC, StoredArray, names_in
from caloforge.io.reading import reading, require_regular_file
from caloforge.io.root import ROOT_MAGIC, open_root

Columns = dict[str, NDArray[Any]]

LONGEST_HEADER = 2**16
HEAD_BYTES = 512
CREDIBLE_BYTES = 2**28
"""Of columns that may be constant, which parquet and ROOT shrink without limit."""
PARQUET_MAGIC = b"PAR1"


class Table(Protocol):
    """A table that is open."""

    @property
    def names(self) -> Sequence[str]:
        """Names of its columns."""

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """These columns, so many rows at a time.  (n, ...) each"""


def head_of(path: Path) -> bytes:
    """The first bytes of a regular file, which tell its kind."""
    require_regular_file(path)
    with reading(path), path.open("rb") as file:
        return file.read(HEAD_BYTES)


@contextmanager
def open_table(path: Path, *, whole: Collection[str] = ()) -> Iterator[Table]:
    """Open a table by its first bytes.

    Args:
        path: A text with a header, npz, HDF5, parquet, or a ROOT file with one tree.
        whole: Columns of whole numbers, which text must not round to floats.

    Raises:
        DataError: there is no such file, or it is no table.
    """
    head = head_of(path)
    with reading(path):
        if head.startswith(HDF5_MAGIC):
            with hdf5.open_hdf5(path) as hdf5_file:
                yield Hdf5Table(hdf5_file)
        elif head.startswith(ZIP_MAGIC):
            yield NpzTable(path)
        elif head.startswith(PARQUET_MAGIC):
            yield ParquetTable(path)
        elif head.startswith(ROOT_MAGIC):
            with open_tree(path) as tree:
                yield tree
        else:
            yield TextTable(path, whole)


def require_names(table: Table, names: Sequence[str]) -> None:
    """Raise DataError naming the first column that a table has not, and those that it has."""
    for name in names:
        if name not in table.names:
            there = ", ".join(islice(table.names, 20)) or "nothing"
            raise DataError(f"has no {name}; it has {there}")


class TextTable:
    """Comma-separated values; the first line names the columns."""

    def __init__(self, path: Path, whole: Collection[str] = ()) -> None:
        self.path, self._whole = path, whole
        with path.open(encoding="utf-8-sig", newline="") as file:
            try:
                line = file.readline(LONGEST_HEADER)
            except UnicodeDecodeError:
                raise DataError(
                    "cannot be read as a table: it is no .csv, .npz, .h5, .parquet or .root"
                ) from None
        self.names = [name.strip() for name in next(csv.reader([line], skipinitialspace=True), [])]
        if not self.names or len(set(self.names)) != len(self.names) or not all(self.names):
            raise DataError("cannot be read as a table: its first line must name each column")
        if len(self.names) == 1 and any(mark in self.names[0] for mark in ";\t "):
            raise DataError("cannot be read as a table: commas must separate its columns")

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """The named columns, so many rows at a time: memory stays constant.  (n,) each"""
        kind = np.dtype(
            [(str(place), self._type(name, names)) for place, name in enumerate(self.names)]
        )
        places = [self.names.index(name) for name in names]
        converters = {place: _whole for place in places if kind[place] == np.int64}
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            file.readline()
            while True:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the end of the file is no surprise
                    block = self._piece(file, kind, converters, rows)
                if not len(block):
                    return
                yield {name: block[str(place)] for name, place in zip(names, places, strict=True)}

    def _type(self, name: str, used: Sequence[str]) -> Any:
        """Of a column; of those that are not used, a letter is kept."""
        if name not in used:
            return "U1"
        return np.int64 if name in self._whole else np.float64

    @staticmethod
    def _piece(file: Any, kind: Any, converters: Any, rows: int) -> NDArray[Any]:
        # All columns are read, for a row that is longer than the header is no row of it.
        try:
            return np.loadtxt(
                file, kind, comments=None, delimiter=",", converters=converters,
                max_rows=rows, quotechar='"', ndmin=1,
            )  # fmt: skip
        except (ValueError, OverflowError) as error:
            # What follows the semicolon is advice for programmers.
            reason = str(error).partition(";")[0].removeprefix("the dtype passed requires ")
            raise DataError(f"cannot be read as a table: {reason}") from None


def _whole(text: str) -> int:
    """A whole number, written as 22 or 22.0."""
    if "_" in text:  # Python reads 22_0 as 220
        raise DataError(f"{text.strip()[:40]!r} is no whole number")
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise DataError(f"{text.strip()[:40]!r} is no whole number") from None
        return int(number)


class NpzTable:
    """Arrays of an npz, their first axis being the rows."""

    def __init__(self, path: Path) -> None:
        self.path, self.names = path, names_in(path)

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """The named arrays, so many rows at a time.  (n, ...) each"""
        arrays = {name: StoredArray(self.path, name) for name in names}
        _require_equal_lengths({name: len(array) for name, array in arrays.items()})
        for pieces in zip(*(array.chunks(rows) for array in arrays.values()), strict=True):
            yield dict(zip(arrays, pieces, strict=True))


class Hdf5Table:
    """Datasets of an HDF5 file, also those in groups (``group/name``)."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.names = list(islice(hdf5.dataset_names(file), hdf5.MOST_NAMES))

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """The named datasets, so many rows at a time.  (n, ...) each"""
        arrays = {
            name: hdf5.dataset(*hdf5.place_of(self.file, name), "iuf", None) for name in names
        }
        _require_equal_lengths({name: len(array) for name, array in arrays.items()})
        for start in range(0, len(next(iter(arrays.values()))), rows):
            yield {name: np.asarray(array[start : start + rows]) for name, array in arrays.items()}


class ParquetTable:
    """Columns of numbers of a parquet file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = import_module("pyarrow.parquet").ParquetFile(path)
        self.names = list(self.file.schema_arrow.names)

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """The named columns, so many rows at a time.  (n,) each"""
        _require_credible(self.path, self.file.metadata.num_rows, len(names))
        for batch in self.file.iter_batches(rows, columns=list(names)):
            yield {
                name: _numbers(batch.column(name).to_numpy(zero_copy_only=False), name)
                for name in names
            }


@contextmanager
def open_tree(path: Path) -> Iterator[TreeTable]:
    """The only tree of a ROOT file; DataError naming them where there are several."""
    with open_root(path) as file:
        trees = file.keys(filter_classname=["TTree", "ROOT::RNTuple"], cycle=False)
        if len(trees) != 1:
            raise DataError(f"holds {len(trees)} trees, not one: {', '.join(trees[:5]) or 'none'}")
        yield TreeTable(path, file[trees[0]])


class TreeTable:
    """Branches of a ROOT tree that hold numbers, as many in each row."""

    def __init__(self, path: Path, tree: Any) -> None:
        self.path, self.tree, self.names = path, tree, list(tree.keys())

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """The named branches, so many rows at a time.  (n, ...) each"""
        _require_credible(self.path, self.tree.num_entries, len(names))
        selection = frozenset(names)
        # Not by expressions: uproot would compute what a name spells.
        for block in self.tree.iterate(
            filter_name=selection.__contains__, step_size=rows, library="np"
        ):
            yield {name: _numbers(block[name], name) for name in names}


def _numbers(values: NDArray[Any], name: str) -> NDArray[Any]:
    if values.dtype.kind not in "iuf":
        raise DataError(f"column {name} holds {values.dtype}, not as many numbers in each row")
    return values


def _require_credible(path: Path, rows: int, columns: int) -> None:
    """Raise DataError when columns claim far more than a file of that size holds."""
    size, claimed = path.stat().st_size, 8 * rows * columns
    if claimed > max(CREDIBLE_BYTES, LARGEST_DEFLATION * size):
        raise DataError(f"claims {rows} rows of {columns} columns in {size} bytes")


def _require_equal_lengths(lengths: Mapping[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        text = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"its columns have different lengths: {text}")
