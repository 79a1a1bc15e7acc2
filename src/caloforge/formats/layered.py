"""What foreign files of layered calorimeters have in common: how they are opened and walked.

Each row is a particle of its own. ``pdg`` (N,), ``cpu_seconds`` (N,), ``overflow`` (N, layers) in
MeV, and the attributes ``engine`` and ``sampling_fraction`` are optional, and ours.
Shapes: N rows, K cells, C conditions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.data.energy import SAMPLING_FRACTION
from caloforge.data.flight import CONDITIONS, Flight
from caloforge.data.showers import Column, Showers
from caloforge.detector import Detector
from caloforge.detectors.species import MEV_PER_GEV
from caloforge.errors import DataError, UsageError
from caloforge.formats.file_format import CHUNK_ROWS, ConversionRequest, EnergyUnit, ForeignShowers
from caloforge.io import hdf5
from caloforge.io.arrays import whole_numbers
from caloforge.io.reading import reading
from caloforge.io.showers import DESCRIPTION


class Clip:
    """Whether negative deposits become 0, and how many did."""

    def __init__(self, clip: bool, unit: str = "MeV") -> None:
        self.allowed, self.unit = clip, unit
        self.count = 0
        self.total = 0.0

    def provenance(self) -> dict[str, str]:
        """Provenance of a file that lost deposits; nothing where there were none."""
        if not self.count:
            return {}
        total = f"{self.total:g} {self.unit}"
        return {"clipped_deposits": f"{self.count} negative deposits, {total}, set to 0"}


def deposits(
    values: NDArray[Any], name: str, *, clip: Clip, first_row: int, per: float = MEV_PER_GEV
) -> NDArray[np.float32]:
    """Deposits in the detector's unit, which is ``per`` of those stored.  (N, K) -> (N, K)

    Raises DataError naming the first row that holds NaN, infinity, or (unless they are clipped)
    a negative deposit.
    """
    if not (values >= 0).all() or not np.isfinite(values).all():
        values = _mended(values, name, clip, first_row)
    with np.errstate(over="ignore"):
        cells = np.asarray(values / per, dtype=np.float32)
    if len(bad := np.argwhere(~np.isfinite(cells))):
        raise DataError(f"{name} row {first_row + bad[0][0]}: a deposit is beyond float32")
    return cells


def _mended(values: NDArray[Any], name: str, clip: Clip, first_row: int) -> NDArray[Any]:
    if len(bad := np.argwhere(~np.isfinite(values))):
        raise DataError(f"{name} row {first_row + bad[0][0]}: a deposit is NaN or infinite")
    negative = values < 0
    if not clip.allowed:
        row = int(np.flatnonzero(negative.any(axis=1))[0])
        raise DataError(
            f"{name} row {first_row + row}: a deposit is negative ({values[row].min():g} "
            f"{clip.unit}); --clip-negative takes such deposits for 0 and counts them"
        )
    clip.count += int(negative.sum())
    clip.total += float(values[negative].sum())
    return np.where(negative, 0, values)


OPTIONAL: tuple[Column, ...] = ("pdg", "cpu_seconds", "overflow")
KINDS = {"pdg": "iu", "cpu_seconds": "f"}


class Source(Protocol):
    """One open file of showers."""

    rows: "Rows"

    def cells_mev(self, part: slice) -> list[tuple[str, NDArray[Any]]]:
        """Flat deposits of parts of the shower, in order, by what they are called.  (N, .)"""

    def flight(self, part: slice) -> Flight:
        """Particles at the front face.  (N,)"""


@contextmanager
def open_rows(
    request: ConversionRequest,
    detector: Detector,
    source_of: Callable[[h5py.File, "Rows", ConversionRequest], Source],
) -> Iterator[ForeignShowers]:
    """All files of a request, opened and checked."""
    if request.values == "log1p":
        raise UsageError("layered files hold deposits in MeV; --values log1p is for counts")
    if detector.unit != "GeV":
        raise UsageError(f"layered files hold energies in GeV, {detector.name} {detector.unit}")
    with ExitStack() as stack:
        sources = []
        for path in request.sources:
            file = stack.enter_context(hdf5.open_hdf5(path))
            with reading(path):
                sources.append(source_of(file, Rows(path, file, detector, request), request))
        clip = Clip(request.clip_negative)
        rows = [source.rows for source in sources]
        if request.pdg is not None and all(one.tells("pdg") for one in rows):
            raise UsageError(f"{request.sources[0]} tells its PDG ids: leave --pdg out")
        yield ForeignShowers(
            detector,
            _provenance(rows),
            tuple(name for name in OPTIONAL if all(one.has(name) for one in rows)),
            sum(one.count for one in rows),
            _chunks(sources, clip),
            clip.provenance,
        )


def _provenance(rows: "Sequence[Rows]") -> Mapping[str, str]:
    """What files say of themselves; DataError where two of them say different things."""
    texts: dict[str, str] = {}
    for one in rows:
        for name, value in one.provenance.items():
            if texts.setdefault(name, value) != value:
                raise DataError(f"{one.path}: {name} is {value}, but {texts[name]} before")
    return texts | {"source": ", ".join(one.path.name for one in rows)}


def _chunks(sources: Sequence[Source], clip: Clip) -> Iterator[Showers]:
    first = 0
    for source in sources:
        rows = source.rows
        for start in range(0, rows.count, CHUNK_ROWS):
            with reading(rows.path):
                part = slice(start, min(start + CHUNK_ROWS, rows.count))
                yield _showers(source, part, first, clip)
        first += rows.count


def _showers(source: Source, part: slice, first: int, clip: Clip) -> Showers:
    rows = source.rows
    flat = [
        deposits(mev, name, clip=clip, first_row=part.start) for name, mev in source.cells_mev(part)
    ]
    return Showers(
        rows.detector,
        np.concatenate(flat, axis=1),
        rows.conditions(source.flight(part), part),
        np.arange(first + part.start, first + part.stop, dtype=np.int64),
        rows.pdg(part),
        rows.cpu_seconds(part),
        rows.provenance,
        rows.overflow(part, clip),
    )


class Rows:
    """The numbers that rows of one file have beside their cells."""

    def __init__(
        self, path: Path, file: h5py.File, detector: Detector, request: ConversionRequest
    ) -> None:
        self.path, self.detector, self._file = path, detector, file
        self._pdg = request.pdg
        self._energy_unit = request.energy_unit
        self._condition_formulas: dict[str, Callable[[Flight], NDArray[np.float64]]] = dict(
            CONDITIONS
        )
        if detector.energy:
            self._condition_formulas[detector.energy] = CONDITIONS["E"]
        fraction = self.number(SAMPLING_FRACTION, request.sampling_fraction, "--sampling-fraction")
        self.provenance = {} if fraction is None else {SAMPLING_FRACTION: repr(fraction)}
        self.provenance |= _texts(file)
        self.count = 0
        self._optional: dict[str, h5py.Dataset] = {}
        self._more: dict[str, h5py.Dataset] = {}

    def begin(self, cells: h5py.Dataset) -> None:
        """Take the number of rows from the cells, and check all else by it."""
        self.count = len(cells)
        if not self.count:
            raise DataError("holds no showers")
        for name, kinds in KINDS.items():
            if hdf5.has(self._file, name):
                self._optional[name] = self.column(name, kinds)
        if hdf5.has(self._file, "overflow"):
            self._optional["overflow"] = self._beside()
        self._more = {name: self.column(name, "iuf") for name in self._unknown_conditions()}

    def number(self, name: str, option_value: float | None, option: str) -> float | None:
        """An attribute or an option; DataError where both are there and differ."""
        if name not in self._file.attrs:
            return option_value
        attribute = np.asarray(self._file.attrs[name])
        if attribute.size != 1 or attribute.dtype.kind not in "iuf":
            raise DataError(f"attribute {name} is not a number")
        value = float(attribute.reshape(()))
        if option_value is not None and option_value != value:
            raise DataError(f"says that {name} is {value:g}, {option} says {option_value:g}")
        return value

    def column(self, name: str, kinds: str) -> h5py.Dataset:
        """A number a row, stored as (N, 1) or (N,)."""
        member = hdf5.member(self._file, name)
        rank = 1 if getattr(member, "ndim", 2) == 1 else 2
        data = hdf5.dataset(self._file, name, kinds, rank)
        if rank == 2 and data.shape[1] != 1:
            raise DataError(f"/{name} is {data.shape}, not (N, 1)")
        self.check_rows(data)
        return data

    def check_rows(self, data: h5py.Dataset) -> None:
        """Raise DataError unless there are as many rows as showers."""
        if len(data) != self.count:
            raise DataError(f"{data.name} has {len(data)} rows, there are {self.count} showers")

    def has(self, name: str) -> bool:
        """Whether rows have this column."""
        return self.tells(name) or (name == "pdg" and self._pdg is not None)

    def tells(self, name: str) -> bool:
        """Whether the file itself has this column."""
        return name in self._optional

    def _beside(self) -> h5py.Dataset:
        data = hdf5.dataset(self._file, "overflow", "iuf", 2)
        self.check_rows(data)
        if data.shape[1] != len(self.detector.layers):
            layers = len(self.detector.layers)
            raise DataError(f"/overflow has {data.shape[1]} columns, there are {layers} layers")
        return data

    def _unknown_conditions(self) -> list[str]:
        """Conditions that a flight does not tell: datasets of that name must."""
        unknown = [name for name in self.detector.columns if name not in self._condition_formulas]
        for name in unknown:
            if not hdf5.has(self._file, name):
                raise DataError(
                    f"tells nothing of {self.detector.name}'s condition {name}: neither a dataset "
                    f"of that name nor one of {', '.join(self._condition_formulas)}"
                )
        return unknown

    def energy_gev(self, data: h5py.Dataset, part: slice, usual: EnergyUnit) -> NDArray[np.float64]:
        """Energies; DataError naming a row without a positive one.  (N,)"""
        energy = values(data, part)
        if len(bad := np.flatnonzero(~(energy > 0) | ~np.isfinite(energy))):
            raise DataError(f"row {part.start + bad[0]}: {data.name} is {energy[bad[0]]:g}")
        unit = self._energy_unit or usual
        return energy if unit == "GeV" else energy / MEV_PER_GEV

    def conditions(self, flight: Flight, part: slice) -> NDArray[np.float64]:
        """Conditions of the detector.  (N, C)"""
        columns = [
            self._condition_formulas[name](flight)
            if name in self._condition_formulas
            else values(self._more[name], part)
            for name in self.detector.columns
        ]
        # -0.0 and 0.0 are one condition.
        return np.stack(columns, axis=1) + 0.0

    def pdg(self, part: slice) -> NDArray[np.int32] | None:
        """PDG ids, from the file or as told.  (N,)"""
        if "pdg" in self._optional:
            return whole_numbers(self._optional["pdg"][part].ravel(), "/pdg", np.int32)
        return None if self._pdg is None else np.full(part.stop - part.start, self._pdg, np.int32)

    def cpu_seconds(self, part: slice) -> NDArray[np.float32] | None:
        """Processor seconds of the engine.  (N,)"""
        if "cpu_seconds" not in self._optional:
            return None
        return np.asarray(self._optional["cpu_seconds"][part]).ravel().astype(np.float32)

    def overflow(self, part: slice, clip: Clip) -> NDArray[np.float32] | None:
        """Deposits beside the cells, in GeV.  (N, layers)"""
        if "overflow" not in self._optional:
            return None
        mev = self._optional["overflow"][part]
        return deposits(mev, "/overflow", clip=clip, first_row=part.start)


def _texts(file: h5py.File) -> dict[str, str]:
    """What a file says of itself in words.

    Names that our format uses are left out: there they mean something else.
    """
    names = [name for name in file.attrs if name not in DESCRIPTION and hdf5.is_text(file, name)]
    return {name: hdf5.text(file, name) for name in names}


def values(column: h5py.Dataset, part: slice) -> NDArray[np.float64]:
    """Some rows of a column.  (N,)"""
    return np.asarray(column[part], dtype=np.float64).ravel()
