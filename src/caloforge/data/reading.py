"""Read showers: whole files, or files larger than memory by ranges of rows.

Shapes: N rows, K cells, C conditions.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.data import layout
from caloforge.data.particles import Groups, check_same_conditions, groups_of
from caloforge.data.record import (
    Showers,
    cell_type,
    check_cells,
    check_conditions,
    check_overflow,
)
from caloforge.detector import Detector
from caloforge.errors import DataError


class ShowerFile:
    """An open showers file: metadata in memory, cells read when asked for.

    Raises DataError, one line that starts with the path, on anything odd.
    """

    def __init__(self, path: Path, detector: Detector | None = None) -> None:
        self.path = Path(path)
        self._file = layout.open_hdf5(self.path)
        try:
            with layout.reading(self.path):
                READERS[layout.check_format(self._file)](self, detector)
        except BaseException:
            self._file.close()
            raise

    def _open_version_1(self, wanted: Detector | None) -> None:
        file = self._file
        self.detector = layout.described_detector(file)
        _check_wanted(self.detector, wanted)
        layout.check_columns(file, self.detector)
        self.provenance = layout.provenance_of(file)
        self._layers = self._find_layers(layout.member(file, "showers"))
        self._check_rows(layout.dataset(file, "particle", "iu", 1))
        self.particle = layout.dataset(file, "particle", "iu", 1)[:].astype(np.int64)
        self.conditions = self._read_conditions()
        self.pdg = self._optional("pdg", "iu", np.int32)
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
            images = layout.dataset(group, layer.name, kinds, 3)
            if images.shape[1:] != layer.shape:
                raise DataError(f"{images.name} is {images.shape[1:]}, not {layer.shape}")
            layers.append(images)
        self._rows = int(layers[0].shape[0])
        if self._rows == 0:
            raise DataError("holds no showers")
        for images in layers:
            self._check_rows(images)
        return layers

    def _check_rows(self, found: h5py.Dataset) -> None:
        if found.shape[0] != self._rows:
            first = self._layers[0].name if hasattr(self, "_layers") else "the first layer"
            raise DataError(f"{found.name} has {found.shape[0]} rows, {first} has {self._rows}")

    def _read_conditions(self) -> NDArray[np.float64]:
        found = layout.dataset(self._file, "conditions", "f", 2)
        self._check_rows(found)
        columns = self.detector.columns
        if found.shape[1] != len(columns):
            raise DataError(
                f"/conditions has {found.shape[1]} columns, {self.detector.name} has {len(columns)}"
            )
        conditions: NDArray[np.float64] = found[:].astype(np.float64)
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
        if name not in self._file:
            return None
        found = layout.dataset(self._file, name, kinds, rank)
        self._check_rows(found)
        return np.asarray(found[:].astype(dtype))

    @property
    def channels(self) -> NDArray[np.float64] | None:
        """Stored channel sums, in the detector's unit, or None.  (N, channels)"""
        if "channels" not in self._file:
            return None
        with layout.reading(self.path):
            found = layout.dataset(self._file, "channels", "iuf", 2)
            self._check_rows(found)
            scheme = self.detector.scheme(layout.text(found, "scheme"))
            if layout.texts(found, "labels") != scheme.labels:
                raise DataError(f"/channels has other labels than scheme {scheme.scheme}")
            return np.asarray(found[:].astype(np.float64))

    @property
    def channels_scheme(self) -> str | None:
        """Name of the read-out scheme of the stored channel sums."""
        if "channels" not in self._file:
            return None
        with layout.reading(self.path):
            return layout.text(layout.dataset(self._file, "channels", "iuf", 2), "scheme")

    def __len__(self) -> int:
        return self._rows

    def groups(self) -> Groups:
        """Where the rows of each particle stand."""
        return self._groups

    def cells(self, start: int, stop: int) -> NDArray[Any]:
        """Cells of a range of rows, in the detector's unit, checked.  (stop - start, K)"""
        with layout.reading(self.path):
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


READERS = {1: ShowerFile._open_version_1}
"""How each version of the format is read; an old version stays here when a new one comes."""


def _check_wanted(found: Detector, wanted: Detector | None) -> None:
    if wanted is None or wanted.fingerprint == found.fingerprint:
        return
    if wanted.name != found.name:
        raise DataError(f"holds showers of {found.name}, but {wanted.name} is asked for")
    raise DataError(
        f"holds {found.name} showers with other cells, columns or units "
        f"(hash {found.fingerprint}) than asked for (hash {wanted.fingerprint})"
    )


def read(path: Path, detector: Detector | None = None) -> Showers:
    """A whole file of showers, checked; DataError when anything is odd or another detector's."""
    with ShowerFile(path, detector) as file:
        return file.rows(0, len(file))
