"""Particles from tables of any kind, piece by piece: CSV, npz, HDF5, parquet, ROOT, HepMC3.

Columns are found by name, with a unit where it is not the usual one: ``E[MeV]``, or ``E_MeV`` where
brackets mean something else (ROOT). A table holds the detector's own columns, or the PDG number
with energy and direction, or the PDG number with the momentum. Shapes: N rows of a piece, C
conditions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.io.arrays import finite_numbers, whole_numbers
from caloforge.io.reading import reading
from caloforge.io.tables import Columns, Table, head_of, open_table
from caloforge.particles.conditions import builder_of, conditions_of, types_of

Array = NDArray[np.float64]

PIECE_ROWS = 2**16
FINAL_STATE = 1
"""Status of the particles of HepMC that leave the generator."""
CONDITIONS, PDG, PARTICLE = "conditions", "pdg", "particle"
WHOLE = (PDG, PARTICLE)
"""Columns whose numbers a float could round."""


class Piece(NamedTuple):
    """Some rows of a table."""

    conditions: Array
    """(N, C)"""
    pdg: NDArray[np.int32] | None
    """(N,)"""
    particle: NDArray[np.int64]
    """Equal numbers are repeats of one particle.  (N,)"""


def read_pieces(
    path: str | Path, detector: Detector, *, pdg: Sequence[int] = (), rows: int = PIECE_ROWS
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
    path = Path(path)
    selection, rows_total, found = frozenset(pdg), 0, False
    numbers = count()
    with _opened(path) as table, reading(path):
        columns = columns_of(table.names, detector)
        for block in table.pieces(columns.names, rows):
            try:
                piece = _piece(columns.convert(block), block, detector, numbers)
            except DataError as error:
                raise DataError(_moved_by(str(error), rows_total)) from None
            rows_total += len(piece.particle)
            if selection:
                piece = _only(piece, selection)
            if len(piece.particle):
                found = True
                yield piece
    if not found:
        types = f" of PDG number {', '.join(map(str, sorted(selection)))}" if selection else ""
        raise DataError(f"{path} holds no particle{types}")


def _moved_by(text: str, rows: int) -> str:
    """A complaint about a row of a piece, as one about a row of the table."""
    return re.sub(r"\brow (\d+)", lambda match: f"row {int(match[1]) + rows}", text, count=1)


def _only(piece: Piece, types: frozenset[int]) -> Piece:
    if piece.pdg is None:
        raise DataError("the particles' types are not known; give a column pdg")
    mask = np.isin(piece.pdg, list(types))
    return Piece(piece.conditions[mask], piece.pdg[mask], piece.particle[mask])


def _piece(conditions: Array, block: Columns, detector: Detector, numbers: Iterator[int]) -> Piece:
    if conditions.ndim != 2 or conditions.shape[1] != len(detector.columns):
        raise DataError(f"conditions are {conditions.shape}, not rows of {list(detector.columns)}")
    if not np.isfinite(conditions).all():
        row = int(np.argmin(np.isfinite(conditions).all(axis=1)))
        raise DataError(f"the conditions of row {row} are not finite")
    rows = len(conditions)
    if PARTICLE in block:
        particle = whole_numbers(_one_a_row(block, PARTICLE), PARTICLE)
        if (particle < 0).any():
            raise DataError(
                f"row {int(np.argmax(particle < 0))}: particle numbers are not negative"
            )
    else:
        particle = np.fromiter(numbers, np.int64, rows)
    if PDG in block:
        pdg = whole_numbers(_one_a_row(block, PDG), PDG, np.int32)
        return Piece(conditions, pdg, particle)
    return Piece(conditions, types_of(detector, conditions), particle)


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
ENERGY_NAMES = frozenset(
    name for names, kind in QUANTITIES.values() if kind == "energy" for name in names
)


@dataclass(frozen=True)
class Column:
    """A column of a table that is used, and the factor to the unit that is meant."""

    name: str
    factor: float = 1.0

    def of(self, block: Columns) -> Array:
        """Its numbers.  (N,)"""
        return finite_numbers(_one_a_row(block, self.name), self.name) * self.factor


def _one_a_row(block: Columns, name: str) -> NDArray[Any]:
    if block[name].ndim != 1:
        raise DataError(f"column {name} has {block[name].shape[1:]} numbers a row, not one")
    return block[name]


@dataclass(frozen=True)
class UsedColumns:
    """Which columns of a table are read, and how they become conditions."""

    columns: Mapping[str, Column]
    convert: Callable[[Columns], Array]

    @property
    def names(self) -> tuple[str, ...]:
        """Columns to read."""
        return tuple(dict.fromkeys(column.name for column in self.columns.values()))


def columns_of(names: Sequence[str], detector: Detector) -> UsedColumns:
    """The way from the columns of a table to conditions; DataError naming what is missing."""
    plain = {name: Column(name) for name in (PDG, PARTICLE) if name in names}
    if CONDITIONS in names:
        return UsedColumns(
            {CONDITIONS: Column(CONDITIONS), **plain},
            lambda block: np.asarray(block[CONDITIONS], dtype=np.float64),
        )
    by_name = dict(map(_parsed, names))
    if set(detector.columns) <= by_name.keys():
        own = {
            condition.name: _own_column(*by_name[condition.name], condition.name, condition.unit)
            for condition in detector.conditions
        }
        return UsedColumns(
            {**own, **plain},
            lambda block: np.column_stack([own[name].of(block) for name in detector.columns]),
        )
    quantities = _quantities(by_name)
    missing = next(name for name in detector.columns if name not in by_name)
    if PDG not in quantities or not ({"energy", "kinetic", "px"} & quantities.keys()):
        raise DataError(
            f"no column {missing}; a table has {', '.join(detector.columns)}, or pdg with energy "
            "(E or Ekin) and direction (ux, uy, uz), or pdg with px, py, pz; this one has "
            f"{', '.join(names[:20]) or 'nothing'}"
        )
    _require_whole_vector(quantities)
    builder_of(detector)  # raises where conditions are no kinematics
    return UsedColumns(
        {**quantities, **plain}, lambda block: _from_physics(detector, quantities, block)
    )


MOMENTUM, DIRECTION, PLACE = ("px", "py", "pz"), ("ux", "uy", "uz"), ("x", "y", "z")


def _require_whole_vector(columns: Mapping[str, Column]) -> None:
    """DataError for a momentum, or without one a direction, that lacks a component.

    Only places may: a missing coordinate is 0, a missing momentum is not.
    """
    parts = next((names for names in (MOMENTUM, DIRECTION) if set(names) & columns.keys()), ())
    if lacking := [name for name in parts if name not in columns]:
        raise DataError(f"no column {lacking[0]}; give all of {', '.join(parts)}, or none of them")


def _from_physics(detector: Detector, columns: Mapping[str, Column], block: Columns) -> Array:
    """Conditions from PDG number, energy and direction, or momentum.  (N, C)"""
    pdg = whole_numbers(_one_a_row(block, columns[PDG].name), PDG, np.int32)
    zeros = np.zeros(len(pdg))

    def vector(names: tuple[str, ...]) -> Array | None:
        if not set(names) & columns.keys():
            return None
        return np.column_stack([columns[n].of(block) if n in columns else zeros for n in names])

    momentum = vector(MOMENTUM)
    energy = {
        f"{name}_gev": columns[name].of(block) for name in ("energy", "kinetic") if name in columns
    }
    if momentum is not None:
        energy = {}  # it follows from momentum and mass
    elif len(energy) > 1:
        del energy["energy_gev"]
    place = vector(PLACE)
    return conditions_of(
        detector,
        pdg=pdg,
        **energy,
        momentum_gev=momentum,
        direction=None if momentum is not None else vector(DIRECTION),
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
    if unit in ("", usual):
        return Column(full)
    return Column(full, _factor(unit, kind, name) / (KINDS[kind][_plain(usual)] if kind else 1.0))


def _quantities(by_name: Mapping[str, tuple[str, str]]) -> dict[str, Column]:
    """Columns by the quantity that they hold."""
    columns: dict[str, Column] = {}
    for quantity, (aliases, kind) in QUANTITIES.items():
        for name, (full, unit) in by_name.items():
            if name.lower() in aliases:
                columns[quantity] = Column(full, _factor(unit, kind, name) if unit else 1.0)
                break
    return columns


def _factor(unit: str, kind: str, name: str) -> float:
    """What a unit is in GeV, cm or rad; DataError for one that the quantity does not have."""
    units = KINDS.get(kind, {})
    if _plain(unit) not in units:
        choice = f"one of {', '.join(units)}" if units else "none: it has no unit"
        raise DataError(f"column {name} has the unit {unit[:40]!r}, not {choice}")
    return units[_plain(unit)]


def _plain(unit: str) -> str:
    return unit.replace("/c²", "").replace("/c^2", "").replace("/c2", "").replace("/c", "")


# ---- events ----------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[Table]:
    """A table, or the particles of HepMC events."""
    if b"HepMC::" in head_of(path):
        with reading(path):
            yield _HepMC(path)
    else:
        with open_table(path, whole=WHOLE) as table:
            yield table


class _HepMC:
    """Particles of the final state of all events."""

    names = (PDG, "px[GeV]", "py[GeV]", "pz[GeV]", "x[cm]", "y[cm]", "z[cm]")

    def __init__(self, path: Path) -> None:
        self.path, self.library = path, import_module("pyhepmc")

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[Columns]:
        rows_read: list[tuple[float, ...]] = []
        with self.library.open(str(self.path)) as file:
            for event in file:
                event.set_units(self.library.Units.GEV, self.library.Units.CM)
                final = (one for one in event.particles if one.status == FINAL_STATE)
                rows_read += map(_row_of, final)
                while len(rows_read) >= rows:
                    yield _stacked(rows_read[:rows], names)
                    rows_read = rows_read[rows:]
        if rows_read:
            yield _stacked(rows_read, names)


def _row_of(particle: Any) -> tuple[float, ...]:
    momentum = particle.momentum
    vertex = particle.production_vertex
    place = (0.0, 0.0, 0.0) if vertex is None else tuple(vertex.position)[:3]
    return (particle.pid, momentum.px, momentum.py, momentum.pz, *place)


def _stacked(rows: Sequence[tuple[float, ...]], names: Sequence[str]) -> Columns:
    values = np.array(rows, dtype=np.float64)
    return {name: values[:, _HepMC.names.index(name)] for name in names}


__all__ = ["Piece", "columns_of", "conditions_of", "read_pieces"]
