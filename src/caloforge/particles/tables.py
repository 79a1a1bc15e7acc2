"""Particles from tables of any kind, piece by piece: CSV, npz, HDF5, parquet, ROOT, HepMC3.

Columns are found by name, with a unit where it is not the usual one: ``E[MeV]``, or ``E_MeV`` where
brackets mean something else (ROOT). A table holds the detector's own columns, or the PDG number
with energy and direction, or the PDG number with the momentum. Shapes: N rows of a piece, C
conditions.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.io import hdf5
from caloforge.io.arrays import HDF5_MAGIC, finite_numbers, whole_numbers
from caloforge.io.npy import ZIP_MAGIC, StoredArray, names_in
from caloforge.io.reading import reading, require_regular_file
from caloforge.particles.conditions import builder_of, conditions_of, types_of

Array = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]

PIECE_ROWS = 2**16
LONGEST_HEADER = 2**16
FINAL_STATE = 1
"""Status of the particles of HepMC that leave the generator."""
CONDITIONS, PDG, PARTICLE = "conditions", "pdg", "particle"


class Piece(NamedTuple):
    """Some rows of a table."""

    conditions: Array
    """(N, C)"""
    pdg: NDArray[np.int32] | None
    """(N,)"""
    particle: NDArray[np.int64]
    """Equal numbers are repeats of one particle.  (N,)"""


def read_pieces(
    path: Path, detector: Detector, *, pdg: Sequence[int] = (), rows: int = PIECE_ROWS
) -> Iterator[Piece]:
    """The particles of a table in the order of its rows, in constant memory.

    Args:
        path: A table in text (CSV), npz, HDF5, parquet, a ROOT file with one tree, or HepMC3 (its
            final state). The first bytes tell which.
        detector: Whose conditions are built.
        pdg: Only particles of these PDG numbers; default: all.
        rows: Rows of a piece.

    Raises:
        DataError: there is no such file, it is no table, lacks a column, has a unit that cannot
            be, a number that is none, or no particle of these types.
    """
    chosen, found = frozenset(pdg), 0
    numbers = count()
    with open_table(path) as table, reading(path):
        columns = _columns_of(table.names, detector)
        for read in table.pieces(columns.names, rows):
            try:
                piece = _piece(columns.convert(read), read, detector, numbers)
            except DataError as error:
                raise DataError(_moved_by(str(error), found)) from None
            if chosen:
                piece = _only(piece, chosen)
            found += len(piece.particle)
            if len(piece.particle):
                yield piece
    if not found:
        types = f" of PDG number {', '.join(map(str, sorted(chosen)))}" if chosen else ""
        raise DataError(f"{path} holds no particle{types}")


def _moved_by(text: str, rows: int) -> str:
    """A complaint about a row of a piece, as one about a row of the table."""
    return re.sub(r"\brow (\d+)", lambda match: f"row {int(match[1]) + rows}", text, count=1)


def _only(piece: Piece, chosen: frozenset[int]) -> Piece:
    if piece.pdg is None:
        raise DataError("the particles' types are not known; give a column pdg")
    kept = np.isin(piece.pdg, list(chosen))
    return Piece(piece.conditions[kept], piece.pdg[kept], piece.particle[kept])


def _piece(conditions: Array, read: Columns, detector: Detector, numbers: Iterator[int]) -> Piece:
    if conditions.ndim != 2 or conditions.shape[1] != len(detector.columns):
        raise DataError(f"conditions are {conditions.shape}, not rows of {list(detector.columns)}")
    if not np.isfinite(conditions).all():
        row = int(np.argmin(np.isfinite(conditions).all(axis=1)))
        raise DataError(f"the conditions of row {row} are not finite")
    rows = len(conditions)
    if PARTICLE in read:
        particle = whole_numbers(read[PARTICLE], PARTICLE)
        if (particle < 0).any():
            raise DataError(
                f"row {int(np.argmax(particle < 0))}: particle numbers are not negative"
            )
    else:
        particle = np.fromiter(numbers, np.int64, rows)
    pdg = whole_numbers(read[PDG], PDG, np.int32) if PDG in read else types_of(detector, conditions)
    return Piece(conditions, pdg, particle)


# ---- columns and units -----------------------------------------------------------------------

ENERGY = {"eV": 1e-9, "keV": 1e-6, "MeV": 1e-3, "GeV": 1.0, "TeV": 1e3}
LENGTH = {"um": 1e-4, "mm": 0.1, "cm": 1.0, "m": 100.0}
ANGLE = {"rad": 1.0, "mrad": 1e-3, "deg": np.pi / 180}
KINDS: Mapping[str, Mapping[str, float]] = {"energy": ENERGY, "length": LENGTH, "angle": ANGLE}
"""Units of each kind of quantity, in GeV, cm and rad."""

QUANTITIES: dict[str, tuple[tuple[str, ...], str]] = {
    PDG: (("pdg", "pdgid", "pdg_id", "pid"), ""),
    PARTICLE: (("particle",), ""),
    "energy": (("energy", "e", "e_total"), "energy"),
    "kinetic": (("ekin", "e_kin", "kinetic", "kinetic_energy"), "energy"),
    **{f"p{axis}": ((f"p{axis}", f"p_{axis}"), "energy") for axis in "xyz"},
    **{f"u{axis}": ((f"u{axis}", f"dir_{axis}", f"direction_{axis}"), "") for axis in "xyz"},
    **{axis: ((axis, f"v{axis}", f"v_{axis}", f"{axis}0"), "length") for axis in "xyz"},
}
"""Names of a quantity in tables, in small letters, and its kind."""


@dataclass(frozen=True)
class Column:
    """A column of a table that is used, and the factor to the unit that is meant."""

    name: str
    factor: float = 1.0

    def of(self, read: Columns) -> Array:
        """Its numbers.  (N,)"""
        return finite_numbers(read[self.name], self.name) * self.factor


@dataclass(frozen=True)
class UsedColumns:
    """Which columns of a table are read, and how they become conditions."""

    used: Mapping[str, Column]
    convert: Callable[[Columns], Array]

    @property
    def names(self) -> tuple[str, ...]:
        """Columns to read."""
        return tuple(dict.fromkeys(column.name for column in self.used.values()))


def _columns_of(names: Sequence[str], detector: Detector) -> UsedColumns:
    """The way from the columns of a table to conditions; DataError naming what is missing."""
    plain = {name: Column(name) for name in (PDG, PARTICLE) if name in names}
    if CONDITIONS in names:
        return UsedColumns(
            {CONDITIONS: Column(CONDITIONS), **plain},
            lambda read: np.asarray(read[CONDITIONS], dtype=np.float64),
        )
    parsed = dict(map(_parsed, names))
    if set(detector.columns) <= parsed.keys():
        own = {
            condition.name: _own_column(*parsed[condition.name], condition.name, condition.unit)
            for condition in detector.conditions
        }
        return UsedColumns(
            {**own, **plain},
            lambda read: np.column_stack([own[name].of(read) for name in detector.columns]),
        )
    quantities = _quantities(parsed)
    missing = next(name for name in detector.columns if name not in parsed)
    if PDG not in quantities or not ({"energy", "kinetic", "px"} & quantities.keys()):
        raise DataError(
            f"no column {missing}; a table has {', '.join(detector.columns)}, or pdg with energy "
            "(E or Ekin) and direction (ux, uy, uz), or pdg with px, py, pz"
        )
    builder_of(detector)  # raises where conditions are no kinematics
    return UsedColumns(
        {**quantities, **plain}, lambda read: _from_physics(detector, quantities, read)
    )


def _from_physics(detector: Detector, used: Mapping[str, Column], read: Columns) -> Array:
    """Conditions from PDG number, energy and direction, or momentum.  (N, C)"""
    pdg = whole_numbers(read[used[PDG].name], PDG, np.int32)
    nothing = np.zeros(len(pdg))

    def vector(prefix: str) -> Array | None:
        named = [f"{prefix}{axis}" for axis in "xyz"]
        if not set(named) & used.keys():
            return None
        return np.column_stack([used[n].of(read) if n in used else nothing for n in named])

    momentum = vector("p")
    energy = {f"{name}_gev": used[name].of(read) for name in ("energy", "kinetic") if name in used}
    if momentum is not None:
        energy = {}  # it follows from momentum and mass
    elif len(energy) > 1:
        del energy["energy_gev"]
    place = vector("")
    return conditions_of(
        detector,
        pdg=pdg,
        **energy,
        momentum_gev=momentum,
        direction=None if momentum is not None else vector("u"),
        place_cm=(0.0, 0.0, 0.0) if place is None else place,
    )


def _parsed(name: str) -> tuple[str, tuple[str, str]]:
    """Name without its unit, then the full name and the unit."""
    # No regular expression: a name of many brackets would keep it busy for ever.
    start, bracket, unit = name.rstrip().partition("[")
    if bracket and unit.endswith("]"):
        return start.strip(), (name, unit[:-1].strip())
    start, _, unit = name.strip().rpartition("_")
    if start and any(unit in units for units in KINDS.values()):
        return start, (name, unit)
    return name.strip(), (name, "")


def _own_column(full: str, unit: str, name: str, usual: str) -> Column:
    """A column of the detector, in its unit."""
    kind = next((k for k, units in KINDS.items() if _plain(usual) in units), "")
    if not unit:
        return Column(full)
    return Column(full, _factor(unit, kind, name) / (KINDS[kind][_plain(usual)] if kind else 1.0))


def _quantities(parsed: Mapping[str, tuple[str, str]]) -> dict[str, Column]:
    """Columns by the quantity that they hold."""
    found: dict[str, Column] = {}
    for quantity, (aliases, kind) in QUANTITIES.items():
        for name, (full, unit) in parsed.items():
            if name.lower() in aliases:
                found[quantity] = Column(full, _factor(unit, kind, name) if unit else 1.0)
                break
    return found


def _factor(unit: str, kind: str, name: str) -> float:
    """What a unit is in GeV, cm or rad; DataError for one that the quantity does not have."""
    units = KINDS.get(kind, {})
    if _plain(unit) not in units:
        known = f"one of {', '.join(units)}" if units else "none: it has no unit"
        raise DataError(f"column {name} has the unit {unit[:40]!r}, not {known}")
    return units[_plain(unit)]


def _plain(unit: str) -> str:
    return unit.replace("/c²", "").replace("/c^2", "").replace("/c2", "").replace("/c", "")


# ---- kinds of tables -------------------------------------------------------------------------


class Table(Protocol):
    """A table that is open."""

    @property
    def names(self) -> Sequence[str]:
        """Names of its columns."""

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """These columns, so many rows at a time."""


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a table by its first bytes; DataError when it is none."""
    require_regular_file(path)
    with reading(path), path.open("rb") as file:
        head = file.read(512)
    with reading(path):
        if head.startswith(HDF5_MAGIC):
            with hdf5.open_hdf5(path) as opened:
                yield _Hdf5(opened)
        elif head.startswith(ZIP_MAGIC):
            yield _Npz(path)
        elif head.startswith(b"PAR1"):
            yield _Parquet(path)
        elif head.startswith(b"root"):
            with _open_root(path) as tree:
                yield tree
        elif b"HepMC::" in head:
            yield _HepMC(path)
        else:
            yield _Text(path)


class _Text:
    """Comma-separated values; the first line names the columns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open(encoding="utf-8-sig", newline="") as file:
            try:
                line = file.readline(LONGEST_HEADER)
            except UnicodeDecodeError:
                raise DataError(
                    "cannot be read as particles: it is no .csv, .npz, .h5, .parquet, .root or "
                    ".hepmc"
                ) from None
        self.names = [name.strip() for name in next(csv.reader([line], skipinitialspace=True), [])]
        if not self.names or len(set(self.names)) != len(self.names) or not all(self.names):
            raise DataError("cannot be read as particles: its first line must name each column")

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        """The named columns, so many rows at a time: memory stays constant.  (rows,) each"""
        types = [np.int64 if name in WHOLE else np.float64 for name in names]
        kind = np.dtype([(str(place), what) for place, what in enumerate(types)])
        places = [self.names.index(name) for name in names]
        whole = [place for place, what in zip(places, types, strict=True) if what is np.int64]
        converters = dict.fromkeys(whole, _whole)
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            file.readline()
            while True:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the end of the file is no surprise
                    read = self._piece(file, kind, converters, places, rows)
                if not len(read):
                    return
                yield {name: read[str(n)] for n, name in enumerate(names)}

    def _piece(
        self, file: Any, kind: Any, converters: Any, places: Sequence[int], rows: int
    ) -> NDArray[Any]:
        try:
            return np.loadtxt(
                file, kind, comments=None, delimiter=",", converters=converters,
                usecols=places, max_rows=rows, quotechar='"', ndmin=1,
            )  # fmt: skip
        except (ValueError, OverflowError) as error:
            raise DataError(f"cannot be read as particles: {error}") from None


WHOLE = (PDG, PARTICLE)
"""Columns whose numbers a float could round."""


def _whole(text: str) -> int:
    """A whole number, written as 22 or 22.0."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise DataError(f"{text.strip()[:40]!r} is no whole number") from None
        return int(number)


class _Npz:
    def __init__(self, path: Path) -> None:
        self.path, self.names = path, names_in(path)

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        stored = {name: StoredArray(self.path, name) for name in names}
        _require_equal_lengths({name: len(array) for name, array in stored.items()})
        for pieces in zip(*(array.chunks(rows) for array in stored.values()), strict=True):
            yield dict(zip(stored, pieces, strict=True))


class _Hdf5:
    def __init__(self, file: Any) -> None:
        self.file = file
        self.names = [name for name in file if hdf5.has(file, name)]

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        stored = {name: hdf5.dataset(self.file, name, "iuf", None) for name in names}
        _require_equal_lengths({name: len(array) for name, array in stored.items()})
        for start in range(0, len(next(iter(stored.values()))), rows):
            yield {name: np.asarray(array[start : start + rows]) for name, array in stored.items()}


class _Parquet:
    def __init__(self, path: Path) -> None:
        self.file = import_module("pyarrow.parquet").ParquetFile(path)
        self.names = list(self.file.schema_arrow.names)

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        for batch in self.file.iter_batches(rows, columns=list(names)):
            yield {
                name: _numbers(batch.column(name).to_numpy(zero_copy_only=False), name)
                for name in names
            }


def _numbers(values: NDArray[Any], name: str) -> NDArray[Any]:
    if values.dtype.kind not in "iuf" or values.ndim != 1:
        raise DataError(f"column {name} holds {values.dtype}, not one number a row")
    return values


@contextmanager
def _open_root(path: Path) -> Iterator[Table]:
    import uproot

    with uproot.open(path) as file:
        trees = file.keys(filter_classname=["TTree", "ROOT::RNTuple"], cycle=False)
        if len(trees) != 1:
            raise DataError(f"holds {len(trees)} trees, not one: {', '.join(trees[:5]) or 'none'}")
        yield _Root(file[trees[0]])


class _Root:
    def __init__(self, tree: Any) -> None:
        self.tree, self.names = tree, list(tree.keys())

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        for read in self.tree.iterate(list(names), step_size=rows, library="np"):
            yield {name: _numbers(read[name], name) for name in names}


class _HepMC:
    """Particles of the final state of all events."""

    names = (PDG, "px[GeV]", "py[GeV]", "pz[GeV]", "x[cm]", "y[cm]", "z[cm]")

    def __init__(self, path: Path) -> None:
        self.path, self.library = path, import_module("pyhepmc")

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        held: list[tuple[float, ...]] = []
        with self.library.open(str(self.path)) as file:
            for event in file:
                event.set_units(self.library.Units.GEV, self.library.Units.CM)
                final = (one for one in event.particles if one.status == FINAL_STATE)
                held += map(_row_of, final)
                while len(held) >= rows:
                    yield _stacked(held[:rows], names)
                    held = held[rows:]
        if held:
            yield _stacked(held, names)


def _row_of(particle: Any) -> tuple[float, ...]:
    momentum = particle.momentum
    vertex = particle.production_vertex
    place = (0.0, 0.0, 0.0) if vertex is None else tuple(vertex.position)[:3]
    return (particle.pid, momentum.px, momentum.py, momentum.pz, *place)


def _stacked(rows: Sequence[tuple[float, ...]], names: Sequence[str]) -> Columns:
    values = np.array(rows, dtype=np.float64)
    return {name: values[:, _HepMC.names.index(name)] for name in names}


def _require_equal_lengths(lengths: Mapping[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"its columns have different lengths: {told}")


__all__ = ["Piece", "conditions_of", "open_table", "read_pieces"]
