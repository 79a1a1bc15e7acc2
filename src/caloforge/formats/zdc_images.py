"""What the file formats of the ALICE authors share: images of one ZDC beside a table of particles.

Shapes: N rows, K cells, C conditions. Images are raw counts or ln(1 + counts). Nothing in the files
says which rows are repeats: rows whose nine conditions are exactly equal are one particle, and are
brought together.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.data.record import check_conditions
from caloforge.data.showers import Column, Showers
from caloforge.detector import Detector
from caloforge.detectors import DETECTORS
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.formats.file_format import (
    CHUNK_ROWS,
    ConversionRequest,
    ForeignShowers,
    Values,
    together,
)
from caloforge.io.arrays import whole_numbers

ROWS_AT_ONCE = 128
"""Checks of counts make several copies, which then stay within a processor's own memory."""
LOGARITHMS_BELOW = 10.0
"""ln(1 + counts) stays below it (the largest pixel known is 765), raw counts do not."""
WHOLE = 0.01
"""How far from a whole number a count may be, per count, after float32 logarithms."""
PROVENANCE = {
    "engine": "not recorded (images of a ZDC beside a table of particles)",
    "licence": "not recorded",
}


class Images(Protocol):
    """Images of a file, walked through by rows."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, nx, ny), perhaps with an axis of 1 behind."""
        ...

    @property
    def held(self) -> NDArray[Any] | None:
        """The array, where all of it is in memory anyway.  (N, nx, ny)"""
        ...

    def chunks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Rows of the array, so many at a time.  (rows, ...)"""
        ...


def foreign_showers(
    detector: Detector,
    cells: Sequence[NDArray[np.uint16]],
    conditions: NDArray[np.float64],
    pdg: NDArray[np.int32] | None,
    provenance: Mapping[str, str],
) -> ForeignShowers:
    """Rows (N, K), (N, C), (N,) as showers, those of equal conditions together.

    Cells come in parts, one behind the other: one array of all would hold them twice for a moment.
    """
    columns: tuple[Column, ...] = () if pdg is None else ("pdg",)
    # -0.0 and 0.0 are one condition, but other bytes.
    conditions = np.ascontiguousarray(conditions) + 0.0
    chunks = _rows(detector, cells, conditions, particle_numbers(conditions), pdg)
    return ForeignShowers(detector, provenance, columns, len(conditions), chunks)


def _rows(
    detector: Detector,
    cells: Sequence[NDArray[np.uint16]],
    conditions: NDArray[np.float64],
    particle: NDArray[np.int64],
    pdg: NDArray[np.int32] | None,
) -> Iterator[Showers]:
    order = together(particle)
    for start in range(0, len(order), CHUNK_ROWS):
        rows = order[start : start + CHUNK_ROWS]
        numbers = None if pdg is None else pdg[rows]
        yield Showers(detector, _taken(cells, rows), conditions[rows], particle[rows], numbers)


def _taken(parts: Sequence[NDArray[np.uint16]], rows: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Some rows of parts that lie one behind the other.  (rows, K)"""
    cells = np.empty((len(rows), parts[0].shape[1]), dtype=np.uint16)
    first = 0
    for part in parts:
        mine = (rows >= first) & (rows < first + len(part))
        cells[mine] = part[rows[mine] - first]
        first += len(part)
    return cells


def particle_numbers(conditions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Equal conditions, equal number; numbers as they first appear.  (N,)"""
    row_bytes = conditions.shape[1] * conditions.itemsize
    keys = conditions.view(f"V{row_bytes}").ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[inverse]


def zdc_of_shape(shape: tuple[int, ...], requested: Detector | None) -> Detector:
    """The counting detector of one layer whose images (N, nx, ny[, 1]) have this shape."""
    image = shape[1:3] if shape[3:] in ((), (1,)) else shape[1:]
    detectors = DETECTORS.values() if requested is None else [requested]
    for detector in detectors:
        if detector.counts and [layer.shape for layer in detector.layers] == [image]:
            return detector
    names = ", ".join(detector.name for detector in detectors)
    raise DataError(f"images of shape {image} fit no detector of {names}")


def checked_pdg(ids: NDArray[Any], what: str) -> NDArray[np.int32]:
    """PDG ids; DataError when they are no whole numbers.  (N,)"""
    return whole_numbers(ids, f"{what} (PDG id)", np.int32)


def pdg_numbers(
    pdg_column: NDArray[np.int32] | None, rows: int, option_value: int | None
) -> NDArray[np.int32] | None:
    """PDG ids of the files, or the one told of all rows; UsageError where both are there.  (N,)"""
    if option_value is None:
        return pdg_column
    if pdg_column is not None:
        raise UsageError("tells its PDG ids: leave --pdg out")
    return checked_pdg(np.full(rows, option_value), "--pdg")


def checked_conditions(detector: Detector, table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conditions; DataError naming the first that is not finite.  (N, C)"""
    check_conditions(detector, table)
    return table


def counts_of(images: Images, detector: Detector, request: ConversionRequest) -> NDArray[np.uint16]:
    """Whole counts of images, written as asked or as detected, which is said.  (N, K)

    Raises DataError naming the row of a value that is none.
    """
    values = values_of(images, request)
    if values == "raw" and images.held is not None and images.held.dtype == np.uint16:
        return images.held.reshape(-1, detector.cells)
    cells = np.empty((images.shape[0], detector.cells), dtype=np.uint16)
    start = 0
    for chunk in count_chunks(images, values):
        cells[start : start + len(chunk)] = chunk
        start += len(chunk)
    return cells


def values_of(images: Images, request: ConversionRequest) -> Values:
    """How cells are written, as asked or as detected, which is said."""
    values = request.values or _detect_values(images)
    how = "as asked" if request.values else "detected; --values overrides"
    request.reporter.say(f"{images.path.name}: cells are {values} ({how})")
    return values


def count_chunks(images: Images, values: Values) -> Iterator[NDArray[np.float64]]:
    """Whole counts, some rows at a time; DataError names the row of what is none.  (n, K)"""
    start = 0
    for chunk in images.chunks(ROWS_AT_ONCE):
        flat = chunk.reshape(len(chunk), -1).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            counts = np.expm1(flat) if values == "log1p" else flat
            _check_counts(counts, chunk, start, values, images)
        yield np.rint(counts)
        start += len(chunk)


def _detect_values(images: Images) -> Values:
    """Logarithms are all small and not whole; counts are whole or, somewhere, large."""
    fractions = False
    for chunk in images.chunks(ROWS_AT_ONCE):
        # Not "chunk.max() >=": what is NaN must not pass for a small number.
        if not (chunk < LOGARITHMS_BELOW).all():
            return "raw"
        fractions = fractions or bool((chunk != np.rint(chunk)).any())
    return "log1p" if fractions else "raw"


def _check_counts(
    counts: NDArray[np.float64],
    values_in_file: NDArray[Any],
    start: int,
    values: Values,
    images: Images,
) -> None:
    whole = np.abs(counts - np.rint(counts)) <= WHOLE
    possible = (counts > -WHOLE) & (counts <= np.iinfo(np.uint16).max)
    bad: NDArray[Any] = np.argwhere(~(whole & possible))
    if len(bad):
        row, cell = bad[0]
        advice = _advice(values_in_file.reshape(len(values_in_file), -1)[row, cell], values, images)
        raise DataError(
            f"row {start + row}: cell {cell} holds {counts[row, cell]:g} when read as {values}, "
            f"which is no count; {advice}"
        )


def _advice(cell: Any, values: Values, images: Images) -> str:
    """What may be wrong with images of which this stored cell makes no count."""
    if (detected := _detect_values(images)) != values:
        return f"they look like {detected}: leave --values out"
    if values == "log1p" and cell < 0:
        return f"it is stored as {cell:g}: written by np.log, not np.log1p?"
    if values == "log1p" and cell.dtype == np.float16:
        return "float16 is too coarse for logarithms of counts: save float32, or the counts"
    return "--values says how cells are written"


def check_rows(images: Images, other: Path, rows: int) -> None:
    """Raise DataError naming both files when they do not have as many rows, or none at all."""
    if images.shape[0] == rows == 0:
        raise DataError(f"{images.path} and {other} hold no showers")
    if images.shape[0] != rows:
        raise DataError(f"{images.path} has {images.shape[0]} rows, {other} {rows}")


@contextmanager
def name_in_errors(path: Path) -> Iterator[None]:
    """Let errors begin with the path of the file at fault."""
    try:
        yield
    except CaloforgeError as error:
        raise type(error)(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
