"""Write showers, a batch at a time, aside and then renamed."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.data import layout
from caloforge.data.filters import Compression, filters_of
from caloforge.data.particles import check_once, groups_of
from caloforge.data.record import Showers, cell_type, check_values
from caloforge.data.sink import Sink
from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.files import write_aside
from caloforge.readout import Channels

Column = Literal["pdg", "cpu_seconds", "overflow"]
COLUMN_TYPES: dict[Column, Any] = {
    "pdg": np.int32,
    "cpu_seconds": np.float32,
    "overflow": np.float32,
}
CHUNK_BYTES = 2**18
OLDEST_AND_NEWEST = ("v110", "v110")
"""HDF5 1.10 keeps a checksum of all metadata, so that damage is noticed."""


class ShowerWriter:
    """A showers file that grows; it appears under its name only when all went well.

    Raises UsageError when the file exists, DataError when rows do not fit the detector.
    """

    def __init__(
        self,
        path: Path,
        detector: Detector,
        provenance: Mapping[str, str],
        *,
        columns: tuple[Column, ...] = ("pdg", "cpu_seconds"),
        channels_scheme: str | None = None,
        overwrite: bool = False,
        compression: Compression = "portable",
    ) -> None:
        self.path = Path(path)
        self.detector = detector
        self.columns = columns
        self._provenance = dict(provenance)
        self._scheme = detector.scheme(channels_scheme) if channels_scheme else None
        self._overwrite = overwrite
        self._filters = {**filters_of(compression), "fletcher32": True}
        self._ids: list[NDArray[np.int64]] = []
        self._last: Showers | None = None
        self._rows = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            aside = stack.enter_context(write_aside(self.path, overwrite=self._overwrite))
            self._sink = stack.enter_context(Sink(aside, "w+"))
            stack.callback(self._sink.check)
            file = h5py.File(self._sink, "w", libver=OLDEST_AND_NEWEST)
            self._file = stack.enter_context(file)
            layout.describe(self._file, self.detector, self._provenance)
            # Kept open: closing one writes, hence packs, its last chunk, and reads it back later.
            self._tables: dict[str, h5py.Dataset] = {}
            stack.callback(self._tables.clear)
            self._create()
            self._stack = stack.pop_all()
        return self

    def _create(self) -> None:
        group = self._file.create_group("showers")
        for layer in self.detector.layers:
            self._grow(group, layer.name, layer.shape, cell_type(self.detector))
        self._grow(self._file, "conditions", (len(self.detector.columns),), np.float64)
        self._grow(self._file, "particle", (), np.int64)
        for column in self.columns:
            shape = (len(self.detector.layers),) if column == "overflow" else ()
            self._grow(self._file, column, shape, COLUMN_TYPES[column])
        if self._scheme:
            dtype = np.uint32 if self.detector.counts else np.float32
            shape = (len(self._scheme.labels),)
            sums = self._grow(self._file, "channels", shape, dtype)
            layout.put_text(sums, "scheme", self._scheme.scheme)
            layout.put_texts(sums, "labels", self._scheme.labels)

    def _grow(
        self, group: h5py.Group, name: str, shape: tuple[int, ...], dtype: Any
    ) -> h5py.Dataset:
        row_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        chunk = (min(4096, max(1, CHUNK_BYTES // row_bytes)), *shape)
        table = group.create_dataset(
            name, (0, *shape), dtype, maxshape=(None, *shape), chunks=chunk, **self._filters
        )
        self._tables[table.name] = table
        return table

    def note(self, name: str, value: str) -> None:
        """Add to the provenance what is known only now."""
        layout.put_text(self._file, name, value)

    def append(
        self,
        cells: NDArray[Any],
        conditions: NDArray[np.float64],
        particle: NDArray[np.int64],
        *,
        pdg: NDArray[np.int32] | None = None,
        cpu_seconds: NDArray[np.float32] | None = None,
        overflow: NDArray[np.float32] | None = None,
    ) -> None:
        """Add rows: cells (N, K), conditions (N, C), particle (N,), and the promised columns."""
        rows = Showers(
            self.detector, cells, conditions, particle, pdg, cpu_seconds, overflow=overflow
        )
        self.extend(rows)

    def extend(self, showers: Showers) -> None:
        """Add showers; a particle may go on from the rows before. DataError as for ``append``."""
        if showers.detector.fingerprint != self.detector.fingerprint:
            raise DataError(f"{showers.detector.name} rows in a {self.detector.name} file")
        if not len(showers):
            return
        check_values(showers)
        self._check_goes_on(showers)
        start = self._rows
        self._rows += len(showers)
        for layer, images in self.detector.split(showers.cells).items():
            _fill(self._tables[f"/showers/{layer}"], start, images)
        _fill(self._tables["/conditions"], start, showers.conditions)
        _fill(self._tables["/particle"], start, showers.particle)
        for column in self.columns:
            if (values := getattr(showers, column)) is None:
                raise DataError(f"{self.path} was promised a column {column}, these rows lack it")
            _fill(self._tables[f"/{column}"], start, values)
        if self._scheme:
            _fill(self._tables["/channels"], start, _sums(showers, self._scheme))
        self._sink.check()

    def _check_goes_on(self, showers: Showers) -> None:
        ids = groups_of(showers.particle).ids
        last = self._last
        if last is not None and last.particle[0] == ids[0]:
            if (last.conditions[0] != showers.conditions[0]).any():
                raise DataError(f"particle {ids[0]} has other conditions than before")
            ids = ids[1:]
        self._ids.append(ids)
        self._last = showers.rows(slice(len(showers) - 1, len(showers)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, traceback)
            return
        with self._stack:
            if not self._rows:
                raise DataError(f"{self.path}: there are no showers to write")
            check_once(np.concatenate(self._ids))


def _fill(dataset: h5py.Dataset, start: int, values: NDArray[Any]) -> None:
    dataset.resize(start + len(values), axis=0)
    dataset[start:] = values


def _sums(showers: Showers, scheme: Channels) -> NDArray[Any]:
    sums = showers.detector.read_out(showers.cells, scheme.scheme)
    return np.rint(sums) if showers.detector.counts else sums


def write(path: Path, showers: Showers, *, overwrite: bool = False) -> None:
    """Write showers as one file; UsageError when it exists and ``overwrite`` is not set."""
    present: tuple[Column, ...] = tuple(
        name for name in COLUMN_TYPES if getattr(showers, name) is not None
    )
    writer = ShowerWriter(
        path, showers.detector, showers.provenance, columns=present, overwrite=overwrite
    )
    with writer:
        writer.extend(showers)
