"""Showers in HDF5 files: the layout, reading by ranges of rows, writing a batch at a time.

/showers/<layer> (N, nx, ny)   uint16 counts, or float32 in the detector's unit
/conditions (N, C) float64     /particle (N,) int64, rows of one particle adjacent
/pdg (N,) int32   /cpu_seconds (N,) float32   /channels (N, channels) {scheme, labels}
/overflow (N, layers) float32, deposits beside the cells of each layer
root attributes: format, version, detector (JSON), detector_hash, columns, units, and the
provenance (engine, seed, source, licence ...) as plain strings

Shapes: N rows, K cells, C conditions.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.data.energy import sampling_fraction
from caloforge.data.particles import Groups, check_same_conditions, groups_of
from caloforge.data.record import (
    Showers,
    cell_type,
    check_cells,
    check_conditions,
    check_overflow,
)
from caloforge.data.samples import showers_path
from caloforge.detector import Detector
from caloforge.detector.readout import Channels
from caloforge.detectors import DETECTORS
from caloforge.documents import parse_json
from caloforge.errors import DataError
from caloforge.io import hdf5
from caloforge.io.arrays import whole_numbers
from caloforge.io.hdf5 import Compression, filters_of
from caloforge.io.reading import reading
from caloforge.io.rows import RowCheck

FORMAT = "caloforge-showers"
VERSION = 1
DESCRIPTION = ("format", "version", "detector", "detector_hash", "columns", "units")
Column = Literal["pdg", "cpu_seconds", "overflow"]
COLUMN_TYPES: dict[Column, Any] = {
    "pdg": np.int32,
    "cpu_seconds": np.float32,
    "overflow": np.float32,
}
CHUNK_BYTES = 2**18


def describe(file: h5py.File, detector: Detector, provenance: Mapping[str, str]) -> None:
    """Write the root attributes; DataError for a provenance that nobody could read back."""
    sampling_fraction(detector, provenance)
    hdf5.put_text(file, "format", FORMAT)
    file.attrs["version"] = VERSION
    hdf5.put_text(file, "detector", detector.model_dump_json())
    hdf5.put_text(file, "detector_hash", detector.fingerprint)
    hdf5.put_texts(file, "columns", detector.columns)
    hdf5.put_texts(file, "units", [condition.unit for condition in detector.conditions])
    for name, value in provenance.items():
        if name in DESCRIPTION:
            raise DataError(f"provenance may not be called {name}: the format uses that name")
        hdf5.put_text(file, name, str(value))


def is_ours(file: h5py.File) -> bool:
    """Whether a file calls itself one of our showers files."""
    return "format" in file.attrs and hdf5.described(file, "format") == FORMAT


def check_format(file: h5py.File) -> int:
    """The format version; DataError when foreign or newer than this program."""
    if not is_ours(file):
        raise DataError("not a caloforge showers file; `caloforge data convert` reads foreign ones")
    version = hdf5.whole_number(file, "version")
    if version > VERSION:
        raise DataError(
            f"{FORMAT} version {version} is newer than version {VERSION}, the last that this "
            "caloforge reads: update caloforge"
        )
    if version < 1:
        raise DataError(f"{FORMAT} version {version} does not exist")
    return version


def described_detector(file: h5py.File) -> Detector:
    """The detector that the file describes: the built-in one where they agree.

    Raises DataError when a built-in detector of that name has other cells, columns or units.
    """
    return detector_of_text(hdf5.text(file, "detector"), hdf5.text(file, "detector_hash"))


def detector_of_text(record: str, fingerprint: str) -> Detector:
    """The detector of a JSON text and its hash; DataError as for ``described_detector``."""
    fields = parse_json(record, "attribute detector")
    if not isinstance(fields, dict):
        raise DataError("attribute detector describes no detector")
    name = str(fields.get("name"))
    # A built-in detector is not parsed: a later version may know more of it, with the same hash.
    detector = DETECTORS.get(name)
    if detector is None:
        detector = Detector.model_validate_json(record)
    if detector.fingerprint != fingerprint:
        raise DataError(
            f"holds showers of a {name} with other cells, columns or units (hash {fingerprint}) "
            f"than the {name} known here (hash {detector.fingerprint})"
        )
    return detector


def check_columns(file: h5py.HLObject, detector: Detector) -> None:
    """Raise DataError unless columns and units are the detector's, in its order."""
    units = tuple(condition.unit for condition in detector.conditions)
    for name, expected in (("columns", detector.columns), ("units", units)):
        names = hdf5.texts(file, name)
        if names != expected:
            raise DataError(
                f"{name} are {', '.join(names)}; {detector.name} has {', '.join(expected)}"
            )


def provenance_of(file: h5py.File) -> dict[str, str]:
    """All other attributes of the root, in words; what is neither text nor number is left out."""
    texts = {name: hdf5.described(file, name) for name in file.attrs if name not in DESCRIPTION}
    return {name: value for name, value in texts.items() if value is not None}


class ShowerFile:
    """An open showers file: conditions and particles in memory, cells read when asked for.

    Args:
        path: an HDF5 file of showers, or the name of a shipped one.
        detector: the detector that is expected; without it any will do.

    Raises:
        DataError: one line that starts with the path, for a file that is none, damaged, newer, or
            of another detector.

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> with ShowerFile(sample_path("alice_zp")) as file:
        ...     means = [part.total().mean() for part in file.chunks(1024)]
        >>> len(means)
        3
    """

    def __init__(self, path: str | Path, detector: Detector | None = None) -> None:
        self.path = showers_path(path)
        self._file = hdf5.open_hdf5(self.path)
        try:
            with reading(self.path):
                READERS[check_format(self._file)](self, detector)
        except BaseException:
            self._file.close()
            raise

    def _open_version_1(self, detector: Detector | None) -> None:
        file = self._file
        self.detector = described_detector(file)
        _check_wanted(self.detector, detector)
        check_columns(file, self.detector)
        self.provenance = provenance_of(file)
        self._layers = self._find_layers(hdf5.member(file, "showers"))
        self.particle = self._whole_numbers("particle", np.int64)
        self.conditions = self._read_conditions()
        self.pdg = self._whole_numbers("pdg", np.int32) if hdf5.has(file, "pdg") else None
        self.cpu_seconds = self._optional("cpu_seconds", "f", np.float32)
        self.overflow = self._read_overflow()
        self._groups = groups_of(self.particle)
        check_same_conditions(self.particle, self.conditions)

    def _find_layers(self, group: h5py.Group) -> list[h5py.Dataset]:
        if not isinstance(group, h5py.Group):
            raise DataError("/showers is not a group of layers")
        kinds = "iu" if self.detector.counts else "f"
        layers = []
        for layer in self.detector.layers:
            images = hdf5.dataset(group, layer.name, kinds, 3, unwritten=True)
            if images.shape[1:] != layer.shape:
                raise DataError(f"{images.name} is {images.shape[1:]}, not {layer.shape}")
            layers.append(images)
        self._rows = int(layers[0].shape[0])
        if self._rows == 0:
            raise DataError("holds no showers")
        for images in layers:
            self._check_rows(images)
        return layers

    def _check_rows(self, data: h5py.Dataset) -> None:
        if data.shape[0] != self._rows:
            first = self._layers[0].name if hasattr(self, "_layers") else "the first layer"
            raise DataError(f"{data.name} has {data.shape[0]} rows, {first} has {self._rows}")

    def _read_conditions(self) -> NDArray[np.float64]:
        data = hdf5.dataset(self._file, "conditions", "f", 2)
        self._check_rows(data)
        columns = self.detector.columns
        if data.shape[1] != len(columns):
            raise DataError(
                f"/conditions has {data.shape[1]} columns, {self.detector.name} has {len(columns)}"
            )
        conditions: NDArray[np.float64] = hdf5.whole(data).astype(np.float64)
        check_conditions(self.detector, conditions)
        return conditions

    def _read_overflow(self) -> NDArray[np.float32] | None:
        overflow = self._optional("overflow", "f", np.float32, rank=2)
        if overflow is None:
            return None
        if overflow.shape[1] != len(self.detector.layers):
            raise DataError(
                f"/overflow has {overflow.shape[1]} columns, {self.detector.name} has "
                f"{len(self.detector.layers)} layers"
            )
        check_overflow(overflow)
        return overflow

    def _optional(self, name: str, kinds: str, dtype: Any, rank: int = 1) -> NDArray[Any] | None:
        if not hdf5.has(self._file, name):
            return None
        data = hdf5.dataset(self._file, name, kinds, rank)
        self._check_rows(data)
        return np.asarray(hdf5.whole(data).astype(dtype))

    def _whole_numbers(self, name: str, dtype: type[np.integer[Any]]) -> NDArray[Any]:
        data = hdf5.dataset(self._file, name, "iu", 1)
        self._check_rows(data)
        return whole_numbers(hdf5.whole(data), f"/{name}", dtype)

    @property
    def channels(self) -> NDArray[np.float64] | None:
        """Stored channel sums, in the detector's unit, or None.  (N, channels)"""
        if not hdf5.has(self._file, "channels"):
            return None
        with reading(self.path):
            data = hdf5.dataset(self._file, "channels", "iuf", 2)
            self._check_rows(data)
            scheme = self.detector.scheme(hdf5.text(data, "scheme"))
            if hdf5.texts(data, "labels") != scheme.labels:
                raise DataError(f"/channels has other labels than scheme {scheme.scheme}")
            return np.asarray(hdf5.whole(data).astype(np.float64))

    @property
    def channels_scheme(self) -> str | None:
        """Name of the read-out scheme of the stored channel sums."""
        if not hdf5.has(self._file, "channels"):
            return None
        with reading(self.path):
            return hdf5.text(hdf5.dataset(self._file, "channels", "iuf", 2), "scheme")

    def __len__(self) -> int:
        return self._rows

    def groups(self) -> Groups:
        """Where the rows of each particle stand."""
        return self._groups

    def cells(self, start: int, stop: int) -> NDArray[Any]:
        """Cells of a range of rows, in the detector's unit, checked.  (stop - start, K)"""
        with reading(self.path):
            parts = []
            for images in self._layers:
                values = images[start:stop]
                check_cells(self.detector, values)
                parts.append(
                    values.reshape(len(values), -1).astype(cell_type(self.detector), copy=False)
                )
            return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def chunks(self, rows: int = 4096) -> Iterator[Showers]:
        """The whole file, a range of rows at a time."""
        for start in range(0, len(self), rows):
            yield self.rows(start, min(start + rows, len(self)))

    def rows(self, start: int, stop: int) -> Showers:
        """A range of rows as showers."""
        part = slice(start, stop)
        return Showers(
            self.detector,
            self.cells(start, stop),
            self.conditions[part],
            self.particle[part],
            None if self.pdg is None else self.pdg[part],
            None if self.cpu_seconds is None else self.cpu_seconds[part],
            self.provenance,
            None if self.overflow is None else self.overflow[part],
        )

    def close(self) -> None:
        """Close the file; arrays already read stay."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: Any) -> None:
        self.close()


READERS = {1: ShowerFile._open_version_1}
"""How each version of the format is read; an old version stays here when a new one comes."""


def _check_wanted(stored: Detector, requested: Detector | None) -> None:
    if requested is None or requested.fingerprint == stored.fingerprint:
        return
    if requested.name != stored.name:
        raise DataError(f"holds showers of {stored.name}, but {requested.name} is asked for")
    raise DataError(
        f"holds {stored.name} showers with other cells, columns or units "
        f"(hash {stored.fingerprint}) than asked for (hash {requested.fingerprint})"
    )


def read(path: str | Path, detector: Detector | None = None) -> Showers:
    """A whole file of showers, or a whole production, checked.

    Args:
        path: an HDF5 file of showers, the folder of a finished production, or the name of shipped
            showers.
        detector: the detector that is expected; without it any will do.

    Returns:
        All rows, with cells (N, K) and conditions (N, C) in the units of the detector.

    Raises:
        DataError: for a file that is none, damaged, newer, or of another detector.

    Example:
        >>> showers = read("alice_zp")
        >>> showers.detector.name, len(showers), len(showers.groups())
        ('alice_zp', 2080, 260)
    """
    from caloforge.io.productions import open_showers

    with open_showers(path, detector) as file:
        return file.rows(0, len(file))


class ShowerWriter:
    """A showers file that grows; it appears under its name only when all went well.

    Args:
        path: where the file will be.
        detector: the detector of all rows.
        provenance: what the file says of its origin, such as engine, seed and licence.
        columns: optional columns that every batch will bring.
        channels_scheme: the read-out scheme whose channel sums are written, too.
        overwrite: replace a file of that name.
        compression: ``portable`` (gzip), ``smallest``, ``fast`` (readers need hdf5plugin) or none.

    Raises:
        UsageError: when the file exists.
        DataError: when rows do not fit the detector.

    Example:
        >>> import tempfile
        >>> from caloforge.data.samples import sample_path
        >>> some = read(sample_path("alice_zp")).rows(slice(16))
        >>> out = Path(tempfile.mkdtemp()) / "some.h5"
        >>> with ShowerWriter(out, some.detector, {"engine": "example"}, columns=()) as writer:
        ...     writer.append(some.cells, some.conditions, some.particle)
        >>> len(read(out))
        16
    """

    def __init__(
        self,
        path: str | Path,
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
        self._check = RowCheck(self.path, detector, columns)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._aside = stack.enter_context(hdf5.FileAside(self.path, overwrite=self._overwrite))
            self._file = self._aside.file
            describe(self._file, self.detector, self._provenance)
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
            hdf5.put_text(sums, "scheme", self._scheme.scheme)
            hdf5.put_texts(sums, "labels", self._scheme.labels)

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
        hdf5.put_text(self._file, name, value)

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
        self._check.add(showers)
        for layer, images in self.detector.split(showers.cells).items():
            hdf5.extend(self._tables[f"/showers/{layer}"], images)
        hdf5.extend(self._tables["/conditions"], showers.conditions)
        hdf5.extend(self._tables["/particle"], showers.particle)
        for column in self.columns:
            hdf5.extend(self._tables[f"/{column}"], getattr(showers, column))
        if self._scheme:
            hdf5.extend(self._tables["/channels"], _sums(showers, self._scheme))
        self._aside.check()

    def __exit__(self, *problem: Any) -> None:
        if problem[0] is not None:
            self._stack.__exit__(*problem)
            return
        with self._stack:
            self._check.finish(lambda: np.asarray(self._tables["/particle"][:]))


def _sums(showers: Showers, scheme: Channels) -> NDArray[Any]:
    sums = showers.detector.read_out(showers.cells, scheme.scheme)
    return np.rint(sums) if showers.detector.counts else sums


def write(path: str | Path, showers: Showers, *, overwrite: bool = False) -> None:
    """Write showers as one file, which appears when it is whole.

    Args:
        path: where the file will be.
        showers: rows of one particle adjacent.
        overwrite: replace a file of that name.

    Raises:
        UsageError: when the file exists and ``overwrite`` is not set.
        DataError: when values are not finite, negative, or rows of a particle are apart.

    Example:
        >>> import tempfile
        >>> from caloforge.data.samples import sample_path
        >>> some = read(sample_path("alice_zp")).rows(slice(16))
        >>> out = Path(tempfile.mkdtemp()) / "some.h5"
        >>> write(out, some)
        >>> bool((read(out).cells == some.cells).all())
        True
    """
    present: tuple[Column, ...] = tuple(
        name for name in COLUMN_TYPES if getattr(showers, name) is not None
    )
    writer = ShowerWriter(
        path, showers.detector, showers.provenance, columns=present, overwrite=overwrite
    )
    with writer:
        writer.extend(showers)
