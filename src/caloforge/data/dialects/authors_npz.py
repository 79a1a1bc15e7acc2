"""The ALICE authors' pair ``data_nonrandom_responses.npz``, ``data_nonrandom_particles.npz``.

Responses (N, nx, ny), raw counts or ln(1 + counts); particles (N, 9), or (N, 10) with the PDG id
last: reference zdc.md a3. Nothing in them says which rows are repeats: rows whose nine conditions
are exactly equal are one particle, and are brought together here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.dialects.dialect import (
    CHUNK_ROWS,
    Dialect,
    Foreign,
    Request,
    Values,
    check_detector,
    starts_with,
    together,
)
from caloforge.data.dialects.npy import NPY_MAGIC, ZIP_MAGIC, StoredArray
from caloforge.data.record import check_conditions
from caloforge.data.showers import Column, Showers
from caloforge.detector import Detector
from caloforge.detectors import DETECTORS
from caloforge.errors import CaloforgeError, DataError, UsageError

LOGARITHMS_BELOW = 10.0
"""ln(1 + counts) stays below it (the largest pixel known is 765), raw counts do not."""
WHOLE = 0.01
"""How far from a whole number a count may be, per count, after float32 logarithms."""
PROVENANCE = {
    "engine": "not recorded (data set of the ALICE ZDC papers)",
    "licence": "not public; as agreed with the ALICE collaboration",
}


def _accepts(sources: tuple[Path, ...]) -> bool:
    return len(sources) in (1, 2) and all(
        starts_with(source, ZIP_MAGIC) or starts_with(source, NPY_MAGIC) for source in sources
    )


@contextmanager
def _open(request: Request) -> Iterator[Foreign]:
    responses, particles = _pair(request.sources)
    with _named(responses.path):
        detector = check_detector(_detector_of(responses, request.detector), request.detector)
    with _named(particles.path):
        conditions, pdg = _particles(detector, particles)
    if len(responses) != len(conditions):
        raise DataError(
            f"{responses.path} has {len(responses)} rows, {particles.path} {len(conditions)}"
        )
    with _named(responses.path):
        values = request.values or _detect_values(responses)
        how = "as asked" if request.values else "detected; --values overrides"
        request.reporter.say(f"{responses.path.name}: cells are {values} ({how})")
        cells = _counts(responses, detector, values)
    particle = _particle_numbers(conditions)
    columns: tuple[Column, ...] = () if pdg is None else ("pdg",)
    source = f"{responses.path.name}, {particles.path.name}"
    chunks = _rows(detector, cells, conditions, particle, pdg)
    yield Foreign(detector, {**PROVENANCE, "source": source}, columns, len(cells), chunks)


def _rows(
    detector: Detector,
    cells: NDArray[np.uint16],
    conditions: NDArray[np.float64],
    particle: NDArray[np.int64],
    pdg: NDArray[np.int32] | None,
) -> Iterator[Showers]:
    order = together(particle)
    for start in range(0, len(order), CHUNK_ROWS):
        rows = order[start : start + CHUNK_ROWS]
        numbers = None if pdg is None else pdg[rows]
        yield Showers(detector, cells[rows], conditions[rows], particle[rows], numbers)


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


def _detector_of(responses: StoredArray, wanted: Detector | None) -> Detector:
    """The counting detector with one layer of this shape."""
    shape = responses.shape[1:3] if responses.shape[3:] in ((), (1,)) else responses.shape[1:]
    known = DETECTORS.values() if wanted is None else [wanted]
    for detector in known:
        if detector.counts and [layer.shape for layer in detector.layers] == [shape]:
            return detector
    names = ", ".join(detector.name for detector in known)
    raise DataError(f"images of shape {shape} fit no detector of {names}")


def _particles(
    detector: Detector, stored: StoredArray
) -> tuple[NDArray[np.float64], NDArray[np.int32] | None]:
    """Conditions (N, C), and PDG ids (N,) where there is one more column."""
    expected = len(detector.columns)
    if len(stored.shape) != 2 or stored.shape[1] not in (expected, expected + 1):
        raise DataError(f"has shape {stored.shape}, not (N, {expected}) or (N, {expected + 1})")
    table = stored.whole().astype(np.float64)
    # -0.0 and 0.0 are one condition, but other bytes.
    conditions = np.ascontiguousarray(table[:, :expected]) + 0.0
    check_conditions(detector, conditions)
    if table.shape[1] == expected:
        return conditions, None
    pdg = table[:, expected]
    if not np.isfinite(pdg).all() or (pdg != np.rint(pdg)).any() or np.abs(pdg).max() >= 2**31:
        raise DataError(f"column {expected + 1} holds no PDG ids (they are whole numbers)")
    return conditions, pdg.astype(np.int32)


def _particle_numbers(conditions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Equal conditions, equal number; numbers as they first appear.  (N,)"""
    row_bytes = conditions.shape[1] * conditions.itemsize
    keys = np.ascontiguousarray(conditions).view(f"V{row_bytes}").ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[inverse]


def _detect_values(responses: StoredArray) -> Values:
    """Logarithms are all small and not whole; counts are whole or, somewhere, large."""
    fractions = False
    for chunk in responses.chunks(CHUNK_ROWS):
        # Not "chunk.max() >=": what is NaN must not pass for a small number.
        if not (chunk < LOGARITHMS_BELOW).all():
            return "raw"
        fractions = fractions or bool((chunk != np.rint(chunk)).any())
    return "log1p" if fractions else "raw"


def _counts(responses: StoredArray, detector: Detector, values: Values) -> NDArray[np.uint16]:
    """Whole counts; DataError naming the row of a value that is none.  (N, K)"""
    cells = np.empty((len(responses), detector.cells), dtype=np.uint16)
    start = 0
    for chunk in responses.chunks(CHUNK_ROWS):
        flat = chunk.reshape(len(chunk), -1).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.expm1(flat) if values == "log1p" else flat
            _check_counts(found, start, values)
        cells[start : start + len(chunk)] = np.rint(found)
        start += len(chunk)
    return cells


def _check_counts(found: NDArray[np.float64], start: int, values: Values) -> None:
    whole = np.abs(found - np.rint(found)) <= WHOLE
    possible = (found > -WHOLE) & (found <= np.iinfo(np.uint16).max)
    bad: NDArray[Any] = np.argwhere(~(whole & possible))
    if len(bad):
        row, cell = bad[0]
        raise DataError(
            f"row {start + row}: cell {cell} holds {found[row, cell]:g} when read as {values}, "
            "which is no count; --values says how cells are written"
        )


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let errors begin with the path of the file at fault."""
    try:
        yield
    except CaloforgeError as error:
        raise type(error)(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None


AUTHORS_NPZ = Dialect(
    name="authors-npz",
    reads="data_nonrandom_responses.npz with data_nonrandom_particles.npz (ALICE authors)",
    accepts=_accepts,
    open=_open,
)
