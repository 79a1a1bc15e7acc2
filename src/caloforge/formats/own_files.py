"""Own files of npz, HDF5 or ROOT, whose arrays somebody names, and the ROOT trees that we write.

Rows of equal conditions are repeats of one particle, unless a column ``particle`` says which rows
belong together. Shapes: N rows, K cells, C conditions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Column, Showers
from caloforge.detector import Detector
from caloforge.documents import parse_json
from caloforge.errors import DataError, UsageError
from caloforge.formats.alice import count_chunks, particle_numbers, pdg_numbers, values_of
from caloforge.formats.file_format import (
    CHUNK_ROWS,
    ConversionRequest,
    FileFormat,
    ForeignShowers,
    Layout,
    starts_with,
    together,
)
from caloforge.formats.layered import Clip, deposits
from caloforge.io import root
from caloforge.io.arrays import whole_numbers
from caloforge.io.reading import reading
from caloforge.io.showers import DESCRIPTION, detector_of_text
from caloforge.io.tables import Table, open_table, require_names
from caloforge.particles.tables import (
    ENERGY,
    ENERGY_NAMES,
    PARTICLE,
    PDG,
    UsedColumns,
    columns_of,
)
from caloforge.reporter import SILENT

UNUSED = "-"
NOT_RECORDED = {"engine": "not recorded (own files)", "licence": "not recorded"}


@contextmanager
def _open(request: ConversionRequest) -> Iterator[ForeignShowers]:
    detector, layout = request.detector, request.layout
    assert layout is not None  # this format is taken where one is named
    if detector is None:
        raise UsageError(f"{request.sources[0]} names no detector: add --detector")
    if layout.units and request.energy_unit:
        raise UsageError("--units names the unit of each column: leave --energy-unit out")
    names = ", ".join(path.name for path in request.sources)
    with _opened(request, detector, layout, {**NOT_RECORDED, "source": names}) as foreign:
        yield foreign


@contextmanager
def _opened(
    request: ConversionRequest, detector: Detector, layout: Layout, provenance: Mapping[str, str]
) -> Iterator[ForeignShowers]:
    """All files of a request, their arrays checked."""
    per_cell = _per_cell(detector, layout.cells_unit)
    with ExitStack() as stack:
        tables = [(path, stack.enter_context(open_table(path))) for path in request.sources]
        unit = request.energy_unit or UNUSED
        files = [_File(path, table, detector, layout, unit) for path, table in tables]
        rows = _joined([file.particles() for file in files], request.pdg)
        clip = Clip(request.clip_negative, layout.cells_unit or detector.unit)
        cells = (part for file in files for part in file.cells(request, per_cell, clip))
        columns: tuple[Column, ...] = () if rows.pdg is None else ("pdg",)
        chunks = _chunks(detector, rows, cells)
        count = len(rows.particle)
        yield ForeignShowers(detector, provenance, columns, count, chunks, clip.provenance)


def _per_cell(detector: Detector, unit: str) -> float:
    """How many of the cells' units make one of the detector's; UsageError where none can."""
    if unit in ("", detector.unit):
        return 1.0
    if unit not in ENERGY or detector.unit not in ENERGY:
        raise UsageError(f"cells of {detector.name} hold {detector.unit}, not {unit}")
    return ENERGY[detector.unit] / ENERGY[unit]


@dataclass(frozen=True)
class _Particles:
    """What is known of each row beside its cells."""

    conditions: NDArray[np.float64]
    pdg: NDArray[np.int32] | None
    particle: NDArray[np.int64]


def _joined(parts: Sequence[_Particles], option_value: int | None) -> _Particles:
    # -0.0 and 0.0 are one condition, but other bytes.
    conditions = np.ascontiguousarray(np.concatenate([one.conditions for one in parts])) + 0.0
    columns = [one.pdg for one in parts if one.pdg is not None]
    pdg_column = np.concatenate(columns) if len(columns) == len(parts) else None
    numbers = [one.particle for one in parts if len(one.particle)]
    particle = (
        np.concatenate(numbers) if len(numbers) == len(parts) else particle_numbers(conditions)
    )
    return _Particles(conditions, pdg_numbers(pdg_column, len(conditions), option_value), particle)


class _File:
    """One open file, whose arrays are there and fit the detector."""

    def __init__(
        self, path: Path, table: Table, detector: Detector, layout: Layout, energy_unit: str
    ) -> None:
        self.path, self._table, self._detector, self._layout = path, table, detector, layout
        with reading(path):
            names = [*layout.cells, *layout.conditions]
            require_names(table, names)
            first = next(iter(table.pieces(names, 1)), None)
            if first is None:
                raise DataError("holds no showers")
            self._check_cells([first[name].shape[1:] for name in layout.cells])
            widths = {name: _width(first[name], name) for name in layout.conditions}
            self._labels = _labels(layout, widths, detector, energy_unit)

    def _check_cells(self, shapes: Sequence[tuple[int, ...]]) -> None:
        detector, names = self._detector, self._layout.cells
        layers = [(layer.shape, layer.cells) for layer in detector.layers]
        expected = layers if len(names) > 1 else [((), detector.cells)]
        if len(names) == len(layers) == 1:
            expected = layers
        if len(expected) != len(names):
            raise DataError(f"{detector.name} has {len(layers)} layers, --cells names {len(names)}")
        for name, shape, (image, cells) in zip(names, shapes, expected, strict=True):
            if shape not in (image, (*image, 1), (cells,)):
                expected_shapes = f"{image} or ({cells},)" if image else f"({cells},)"
                raise DataError(f"{name} is {shape} a row, {detector.name} needs {expected_shapes}")

    def particles(self) -> _Particles:
        """Conditions (N, C), PDG numbers (N,) and particle numbers (N, or 0 if not stored)."""
        with reading(self.path):
            arrays = self._columns()
            selection = columns_of(list(arrays), self._detector)
            conditions = selection.convert(arrays)
            pdg, particle = (self._whole(selection, name, arrays) for name in (PDG, PARTICLE))
            if particle is not None and (particle < 0).any():
                raise DataError(f"row {int(np.argmax(particle < 0))}: {PARTICLE} is negative")
        self._rows = len(conditions)
        none: NDArray[np.int64] = np.zeros(0, np.int64)
        return _Particles(
            conditions,
            None if pdg is None else whole_numbers(pdg, PDG, np.int32),
            none if particle is None else particle,
        )

    @staticmethod
    def _whole(
        selection: UsedColumns, name: str, arrays: Mapping[str, NDArray[Any]]
    ) -> NDArray[np.int64] | None:
        column = selection.columns.get(name)
        return None if column is None else whole_numbers(arrays[column.name], name)

    def _columns(self) -> dict[str, NDArray[Any]]:
        """Columns by name and unit.  (N,) each"""
        names = self._layout.conditions
        pieces = list(self._table.pieces(names, CHUNK_ROWS))
        arrays = (np.concatenate([piece[name] for piece in pieces]) for name in names)
        flat = (column for array in arrays for column in array.reshape(len(array), -1).T)
        labelled = zip(self._labels, flat, strict=True)
        return {label: column for label, column in labelled if label}

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(N, K)"""
        return self._rows, self._detector.cells

    held = None
    """Nothing of it is kept in memory."""

    def chunks(self, rows: int) -> Iterator[NDArray[Any]]:
        """Cells as they are stored, all layers one behind the other.  (n, K)"""
        names = self._layout.cells
        with reading(self.path):
            for piece in self._table.pieces(names, rows):
                flat = [piece[name].reshape(len(piece[name]), -1) for name in names]
                yield flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)

    def cells(
        self, request: ConversionRequest, per_cell: float, clip: Clip
    ) -> Iterator[NDArray[Any]]:
        """Cells in the detector's unit and type, some rows at a time.  (n, K)"""
        if self._detector.counts:
            for counts in count_chunks(self, values_of(self, request)):
                yield counts.astype(np.uint16)
            return
        if request.values:
            raise UsageError(f"--values is for counts; {self._detector.name} holds energies")
        start = 0
        for chunk in self.chunks(CHUNK_ROWS):
            if self._detector.signed:
                yield chunk.astype(np.float32)
            else:
                yield deposits(chunk, "cells", clip=clip, first_row=start, per=per_cell)
            start += len(chunk)


def _width(values: NDArray[Any], name: str) -> int:
    if values.ndim > 2:
        raise DataError(f"{name} has {values.ndim} axes: conditions are (N, columns) or (N,)")
    return 1 if values.ndim == 1 else int(values.shape[1])


def _labels(
    layout: Layout, widths: Mapping[str, int], detector: Detector, energy_unit: str
) -> list[str]:
    """The name of each column with its unit, as tables of particles have them; '' for none."""
    count, single = sum(widths.values()), max(widths.values()) == 1
    if layout.columns:
        names = layout.columns
    elif len(widths) > 1 and single:
        names = tuple(name.rpartition("/")[2] for name in widths)
    elif count == len(detector.columns):
        names = detector.columns
    else:
        raise UsageError(f"{', '.join(widths)} has {count} columns: name them with --columns")
    if len(names) != count:
        raise UsageError(f"{', '.join(widths)} has {count} columns, --columns names {len(names)}")
    units = layout.units or [
        energy_unit if _is_energy(name, detector) else UNUSED for name in names
    ]
    if len(units) != count:
        raise UsageError(f"there are {count} columns, --units names {len(units)} units")
    labels = [
        "" if name == UNUSED else name if unit == UNUSED else f"{name}[{unit}]"
        for name, unit in zip(names, units, strict=True)
    ]
    for label in labels:
        if label and labels.count(label) > 1:
            raise UsageError(f"two columns are called {label}")
    return labels


def _is_energy(name: str, detector: Detector) -> bool:
    """Whether a column holds energies or momenta, of the detector's or of other names."""
    own = {condition.name: condition.unit for condition in detector.conditions}
    return own[name] in ("GeV", "GeV/c") if name in own else name.lower() in ENERGY_NAMES


def _chunks(
    detector: Detector, rows: _Particles, cells: Iterator[NDArray[Any]]
) -> Iterator[Showers]:
    """All rows, those of one particle together; held in memory only where they are apart."""
    order = together(rows.particle)
    if (order[1:] < order[:-1]).any():
        whole = np.concatenate(list(cells))
        _check_rows(len(whole), len(order))
        parts = (order[start : start + CHUNK_ROWS] for start in range(0, len(order), CHUNK_ROWS))
        yield from (_showers(detector, rows, part, whole[part]) for part in parts)
        return
    start = 0
    for chunk in cells:
        part = np.arange(start, start + len(chunk))
        start += len(chunk)
        _check_rows(max(start, len(order)), len(order))
        yield _showers(detector, rows, part, chunk)
    _check_rows(start, len(order))


def _check_rows(cells: int, particles: int) -> None:
    if cells != particles:
        raise DataError(f"{cells} rows of cells, {particles} of conditions")


def _showers(
    detector: Detector, rows: _Particles, part: NDArray[np.int64], cells: NDArray[Any]
) -> Showers:
    pdg = None if rows.pdg is None else rows.pdg[part]
    return Showers(detector, cells, rows.conditions[part], rows.particle[part], pdg)


OWN_FILES = FileFormat(
    name="own",
    reads="own files (npz, HDF5, ROOT) with --cells KEY --conditions KEY",
    accepts=lambda _: False,
    open=_open,
    uses=frozenset({"pdg", "clip_negative", "energy_unit"}),
)
"""Never found by what is in a file: somebody names its arrays."""


# ---- trees that we write ---------------------------------------------------------------------


def _is_our_tree(sources: tuple[Path, ...]) -> bool:
    return all(starts_with(path, root.ROOT_MAGIC) and _description(path) for path in sources)


def _description(path: Path) -> dict[str, Any]:
    """What a ROOT file of ours says of itself; nothing where it is another one."""
    with reading(path), root.open_root(path) as file:
        if root.DESCRIPTION not in file.keys(cycle=False, filter_classname="TObjString"):
            return {}
        record = parse_json(str(file[root.DESCRIPTION]), root.DESCRIPTION)
    return record if isinstance(record, dict) and record.get("format") == root.FORMAT else {}


@contextmanager
def _open_trees(request: ConversionRequest) -> Iterator[ForeignShowers]:
    first, *others = [_checked(path) for path in request.sources]
    detector = first["detector"]
    for path, description in zip(request.sources[1:], others, strict=True):
        if description["detector"].fingerprint != detector.fingerprint:
            raise DataError(
                f"{path} holds showers of {description['detector'].name}, {detector.name} before"
            )
    requested = request.detector
    if requested is not None and requested.fingerprint != detector.fingerprint:
        raise DataError(
            f"{request.sources[0]} holds showers of {detector.name}, {requested.name} is asked for"
        )
    with open_table(request.sources[0]) as tree:
        extra = [name for name in (PARTICLE, PDG) if name in tree.names]
        columns = (*detector.columns, *extra)
    layout = Layout(tuple(layer.name for layer in detector.layers), columns, columns)
    left_out = {*DESCRIPTION, "scheme", "labels"}
    provenance = {name: str(text) for name, text in first.items() if name not in left_out}
    raw_request = request
    if detector.counts and request.values is None:
        raw_request = replace(request, values="raw", reporter=SILENT)
    with _opened(raw_request, detector, layout, provenance) as foreign:
        yield foreign


def _checked(path: Path) -> dict[str, Any]:
    """The description of a tree of ours, its detector as one; DataError for one of a later time."""
    description = _description(path)
    with reading(path):
        if description.get("version") != root.VERSION:
            raise DataError(
                f"{root.FORMAT} version {description.get('version')!r:.20} is not known"
            )
        record, fingerprint = description.get("detector"), str(description.get("detector_hash"))
        return description | {"detector": detector_of_text(json.dumps(record), fingerprint)}


OUR_TREES = FileFormat(
    name="our-trees",
    reads="ROOT trees that caloforge wrote",
    accepts=_is_our_tree,
    open=_open_trees,
    uses=frozenset({"energy_unit"}),
)
