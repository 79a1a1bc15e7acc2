"""Files of the ALICE authors: images of one ZDC beside a table of particles, row by row the same.

Arrays: ``data_nonrandom_responses.npz`` (N, nx, ny) with ``data_nonrandom_particles.npz`` (N, 9),
or with more columns behind the nine conditions: the PDG id; the PDG id and the photon sum; centre
of mass, PDG id and photon sum. Columns have no names, so what physics says of them is checked.

Pickles: filtered ones, ``data_proton_photonsum_proton_1_2312.pkl`` with
``data_cond_photonsum_proton_1_2312.pkl`` and, if wanted, ``data_coord_...`` (max_x, max_y); names
of neutrons likewise. Raw dumps: ``proton_images2{a,b,c}.pkl`` or ``neutron_images2...`` with
``particles_cond_with_mass2{a,b,c}.pkl``, put one behind the other. What a file is follows from
what it holds; names only say which belong together. Conditions are selected by name.

What the file formats of the ALICE authors share: images of one ZDC beside a table of particles.

Shapes: N rows, K cells, C conditions. Images are raw counts or ln(1 + counts). Nothing in the files
says which rows are repeats: rows whose nine conditions are exactly equal are one particle, and are
brought together.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.data.derive import peak_of_cells
from caloforge.data.kinematics import kinematic_flaw
from caloforge.data.record import check_conditions
from caloforge.data.showers import Column, Showers
from caloforge.detector import Detector
from caloforge.detectors import DETECTORS, facts_of
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.formats.file_format import (
    CHUNK_ROWS,
    ConversionRequest,
    FileFormat,
    ForeignShowers,
    Values,
    in_gev,
    starts_with,
    together,
)
from caloforge.formats.pickled import Frame, is_pickle, unpickle
from caloforge.io.arrays import whole_numbers
from caloforge.io.npy import NPY_MAGIC, ZIP_MAGIC, StoredArray

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


BEHIND: dict[int, int | None] = {0: None, 1: 0, 2: 0, 4: 2}
"""By how many columns follow the conditions: which of them is the PDG id."""


def _accepts_arrays(sources: tuple[Path, ...]) -> bool:
    return len(sources) in (1, 2) and all(
        starts_with(source, ZIP_MAGIC) or starts_with(source, NPY_MAGIC) for source in sources
    )


@contextmanager
def _open_arrays(request: ConversionRequest) -> Iterator[ForeignShowers]:
    responses, particles = _pair(request.sources)
    with name_in_errors(responses.path):
        detector = zdc_of_shape(responses.shape, request.detector)
    check_rows(responses, particles.path, len(particles))
    with name_in_errors(particles.path):
        conditions, pdg_column = _particles_of_columns(detector, particles, request)
        pdg = pdg_numbers(pdg_column, len(conditions), request.pdg)
    with name_in_errors(responses.path):
        cells = counts_of(responses, detector, request)
    provenance = {**PROVENANCE, "source": f"{responses.path.name}, {particles.path.name}"}
    yield foreign_showers(detector, [cells], conditions, pdg, provenance)


def _pair(sources: tuple[Path, ...]) -> tuple[StoredArray, StoredArray]:
    """Responses and particles, in whatever order they were named, told apart by their axes."""
    if len(sources) == 1:
        sources = (sources[0], _other_of(sources[0]))
    arrays = sorted((StoredArray(source) for source in sources), key=lambda a: -len(a.shape))
    if [len(array.shape) > 2 for array in arrays] != [True, False]:
        shapes = ", ".join(f"{array.path} {array.shape}" for array in arrays)
        raise DataError(f"one array of images and one of particles are needed, not {shapes}")
    return arrays[0], arrays[1]


def _other_of(source: Path) -> Path:
    for mine, other in (("responses", "particles"), ("particles", "responses")):
        candidate = source.with_name(source.name.replace(mine, other))
        if candidate != source and candidate.is_file():
            return candidate
    raise UsageError(f"{source}: name the file of its particles (or of its responses) too")


def _particles_of_columns(
    detector: Detector, array: StoredArray, request: ConversionRequest
) -> tuple[NDArray[np.float64], NDArray[np.int32] | None]:
    """Conditions (N, C), and PDG ids (N,) where there are any."""
    expected = len(detector.columns)
    behind = array.shape[1] - expected if len(array.shape) == 2 else -1
    if behind not in BEHIND:
        widths = ", ".join(str(expected + more) for more in BEHIND)
        raise DataError(f"has shape {array.shape}, not (N, columns) of {widths} columns")
    table = array.whole().astype(np.float64)
    conditions = checked_conditions(
        detector, in_gev(detector, table[:, :expected], request.energy_unit)
    )
    if odd := kinematic_flaw(detector, conditions):
        raise DataError(odd)
    place = BEHIND[behind]
    if place is None:
        return conditions, None
    number = expected + place
    return conditions, checked_pdg(table[:, number], f"column {number + 1}")


AUTHORS_NPZ = FileFormat(
    name="authors-npz",
    reads="data_nonrandom_responses.npz with data_nonrandom_particles.npz (ALICE authors)",
    accepts=_accepts_arrays,
    open=_open_arrays,
    uses=frozenset({"pdg", "energy_unit"}),
)


COORDINATES = ("max_x", "max_y")
PDG = "Pdg"
COMPANIONS = (
    (r"(?:proton|neutron)_images(2[abc])", r"particles_cond_with_mass\1"),
    (r"data_(?:proton|neutron)_(photonsum_.*)", r"data_cond_\1"),
    (r"data_(proton|neutron)_(photonsum_.*)", r"data_cond_\1_\2"),
)
"""From the name of a file of images to that of its particles, as the authors' scripts write it."""


@dataclass(frozen=True)
class Table:
    """A table of particles or of coordinates, and the file it is from."""

    path: Path
    frame: Frame


@dataclass(frozen=True)
class PickledImages:
    """Images of a pickle, over its bytes."""

    path: Path
    values: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, nx, ny), perhaps with an axis of 1 behind."""
        return self.values.shape

    @property
    def held(self) -> NDArray[Any]:
        """The array."""
        return self.values

    def chunks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Rows of the array, so many at a time.  (rows, ...)"""
        for start in range(0, len(self.values), rows):
            yield self.values[start : start + rows]


@dataclass(frozen=True)
class Part:
    """The rows of one file of images."""

    path: Path
    detector: Detector
    cells: NDArray[np.uint16]
    conditions: NDArray[np.float64]
    pdg: NDArray[np.int32] | None


def _accepts_pickles(sources: tuple[Path, ...]) -> bool:
    return all(is_pickle(source) for source in sources)


@contextmanager
def _open_pickles(request: ConversionRequest) -> Iterator[ForeignShowers]:
    parts = [_read(group, request) for group in _belonging(request.sources)]
    detector, path = parts[0].detector, parts[0].path
    for part in parts[1:]:
        if part.detector is not detector:
            raise DataError(f"{part.path} is of {part.detector.name}, {path} of {detector.name}")
    numbers = [part.pdg for part in parts if part.pdg is not None]
    if len(numbers) not in (0, len(parts)):
        raise DataError(f"column {PDG} is in some tables only: convert these files apart")
    yield foreign_showers(
        detector,
        [part.cells for part in parts],
        np.concatenate([part.conditions for part in parts]),
        np.concatenate(numbers) if numbers else None,
        {**PROVENANCE, "source": ", ".join(source.name for source in request.sources)},
    )


def _belonging(sources: tuple[Path, ...]) -> list[tuple[Path, ...]]:
    """Files of the same rows: by the letter of raw dumps, in order; else all of them."""
    letters = [re.search(r"2([abc])$", source.stem) for source in sources]
    if not all(letters):
        return [sources]
    groups: dict[str, tuple[Path, ...]] = {}
    for source, letter in zip(sources, letters, strict=True):
        key = letter[1] if letter else ""
        groups[key] = (*groups.get(key, ()), source)
    return [groups[key] for key in sorted(groups)]


def _with_particles(sources: tuple[Path, ...]) -> tuple[Path, ...]:
    """These files, and the particles of a lone file of images where their name tells them."""
    if len(sources) > 1:
        return sources
    source = sources[0]
    for mine, other in COMPANIONS:
        name, count = re.subn(f"^{mine}$", other, source.stem)
        candidate = source.with_name(name + source.suffix)
        if count and candidate.is_file():
            return (source, candidate)
    raise UsageError(f"{source}: name the file of its particles (or of its images) too")


def _read(sources: tuple[Path, ...], request: ConversionRequest) -> Part:
    """The rows of some files: tables first, since they are small and say if the rest fits."""
    images: PickledImages | None = None
    tables: list[Table] = []
    for source in sorted(_with_particles(sources), key=lambda path: path.stat().st_size):
        content = unpickle(source, allow=request.allow_pickle)
        if isinstance(content, Frame):
            tables.append(Table(source, content))
        elif images is None:
            images = PickledImages(source, content.values)
        else:
            raise DataError(f"{images.path} and {source} both hold arrays; one is needed")
    if images is None or not tables:
        names = " ".join(map(str, sources))
        raise DataError(f"{names}: one array of images and a table of particles are needed")
    return _part(images, tables, request)


def _part(images: PickledImages, tables: list[Table], request: ConversionRequest) -> Part:
    for table in tables:
        check_rows(images, table.path, len(table.frame))
    with name_in_errors(images.path):
        if images.values.dtype.kind not in "iuf":
            raise DataError(f"holds {images.values.dtype}, not images of numbers")
        detector = zdc_of_shape(images.shape, request.detector)
    coordinates = [table for table in tables if set(COORDINATES) <= set(table.frame.columns)]
    particles = [table for table in tables if table not in coordinates]
    if len(particles) != 1:
        names = " ".join(str(table.path) for table in tables)
        raise DataError(f"{names}: one table of particles is needed, not {len(particles)}")
    with name_in_errors(particles[0].path):
        conditions, pdg = _particles_by_name(detector, particles[0], request)
    with name_in_errors(images.path):
        cells = counts_of(images, detector, request)
    for table in coordinates:
        with name_in_errors(table.path):
            _check_coordinates(detector, cells, table.frame)
    _check_sums(detector, cells, particles[0], request)
    return Part(images.path, detector, cells, conditions, pdg)


def _particles_by_name(
    detector: Detector, table: Table, request: ConversionRequest
) -> tuple[NDArray[np.float64], NDArray[np.int32] | None]:
    """Conditions (N, C) by name, PDG ids (N,) where there are any; the rest is ignored, aloud."""
    frame, path = table.frame, table.path
    conditions = checked_conditions(
        detector, in_gev(detector, frame.numbers(detector.columns), request.energy_unit)
    )
    # Columns have names here, so that they cannot be mixed up: they are taken at their word.
    if odd := kinematic_flaw(detector, conditions):
        request.reporter.warn(f"{path}: {odd}")
    other_columns = [name for name in frame.columns if name not in (*detector.columns, PDG)]
    if other_columns:
        request.reporter.say(f"ignored columns: {', '.join(other_columns)}")
    pdg_column = None
    if PDG in frame.columns:
        pdg_column = checked_pdg(frame.numbers((PDG,))[:, 0], f"column {PDG}")
    return conditions, pdg_numbers(pdg_column, len(conditions), request.pdg)


def _check_coordinates(detector: Detector, cells: NDArray[np.uint16], frame: Frame) -> None:
    """Raise DataError when coordinates are not those of the largest pixels.  (N, K)"""
    coordinates = frame.numbers(COORDINATES)
    largest = np.nan_to_num(peak_of_cells(detector, cells))
    if len(wrong := np.flatnonzero((coordinates != largest).any(axis=1))):
        raise DataError(
            f"{len(wrong)} of {len(coordinates)} coordinates, the first in row {wrong[0]}, are not "
            "those of the largest pixel: other rows than the images, or leave this file out"
        )


def _check_sums(
    detector: Detector, cells: NDArray[np.uint16], table: Table, request: ConversionRequest
) -> None:
    """Warn when photon sums of the table are not those of the images.  (N, K)"""
    alice = facts_of(detector).alice
    for name in alice.sum_columns if alice else ():
        if name not in table.frame.columns:
            continue
        sums = table.frame.numbers((name,))[:, 0]
        wrong = np.abs(sums - cells.sum(axis=1, dtype=np.int64)) > 0.5
        if wrong.any():
            request.reporter.warn(
                f"{table.path}: {name} is not the sum of the image in {wrong.sum()} of "
                f"{len(wrong)} rows: other rows than the images, or sums of logarithms"
            )


AUTHORS_PICKLE = FileFormat(
    name="authors-pickle",
    reads="pickles of images with those of their particles (ALICE authors; --allow-pickle)",
    accepts=_accepts_pickles,
    open=_open_pickles,
    uses=frozenset({"pdg", "energy_unit"}),
)
