"""A production is data: the shards of a folder of ``caloforge generate`` as one file of showers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from caloforge.data.particles import check_same_conditions, groups_of
from caloforge.detector import Detector
from caloforge.documents import Document, Record
from caloforge.errors import DataError
from caloforge.io.reading import reading
from caloforge.io.showers import ShowerFile

MANIFEST = "manifest.json"


class NamedShard(Record):
    """What reading needs to know of a shard."""

    file: str
    showers: int = Field(ge=1)


class ManifestOfShards(Document):
    """The manifest of a production, as far as reading its showers needs it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    FORMAT = "caloforge-production"
    LARGEST_BYTES = 2**28

    complete: bool
    shards: tuple[NamedShard, ...]


def is_production(path: str | Path) -> bool:
    """Whether a folder holds a production, finished or not."""
    return Path(path).is_dir() and any(Path(path).glob("manifest*.json"))


def open_showers(path: str | Path, detector: Detector | None = None) -> ShowerFile:
    """A file of showers, or the folder of a production as one.

    Raises:
        DataError: it is neither, is not finished, damaged, or of another detector.

    >>> from caloforge.data.samples import sample_path
    >>> with open_showers(sample_path("alice_zp")) as file:
    ...     len(file)
    2080
    """
    return Production(path, detector) if is_production(path) else ShowerFile(path, detector)


class Production(ShowerFile):
    """The shards of a finished production, opened one at a time.

    Conditions and particle numbers of all showers are kept in memory, cells are not.
    """

    def __init__(self, path: str | Path, detector: Detector | None = None) -> None:
        self.path = Path(path)
        self.shards = shards_of(self.path)
        conditions, particle, pdg = [], [], []
        for shard, rows in self.shards:
            with ShowerFile(shard, detector) as file:
                if len(file) != rows:
                    raise DataError(f"{shard} holds {len(file)} showers, its manifest says {rows}")
                detector = detector or file.detector
                self.detector, self.provenance = file.detector, file.provenance
                conditions.append(file.conditions)
                particle.append(file.particle)
                pdg.append(file.pdg)
        self.conditions = np.concatenate(conditions)
        self.particle = np.concatenate(particle)
        columns = [values for values in pdg if values is not None]
        self.pdg = np.concatenate(columns) if len(columns) == len(pdg) else None
        self.cpu_seconds, self.overflow = None, None
        self._rows = len(self.particle)
        self._starts = np.cumsum([0, *(rows for _, rows in self.shards)])
        with reading(self.path):
            self._groups = groups_of(self.particle)
            check_same_conditions(self.particle, self.conditions)

    def cells(self, start: int, stop: int) -> NDArray[Any]:
        """Cells of a range of rows, in the detector's unit, checked.  (stop - start, K)"""
        parts = []
        for (shard, rows), first in zip(self.shards, self._starts.tolist(), strict=False):
            low, high = max(start, first), min(stop, first + rows)
            if low < high:
                with ShowerFile(shard, self.detector) as file:
                    parts.append(file.cells(low - first, high - first))
        return np.concatenate(parts) if parts else np.zeros((0, self.detector.cells))

    @property
    def channels(self) -> NDArray[np.float64] | None:
        """Stored channel sums, in the detector's unit, or None.  (N, channels)"""
        parts = []
        for file in self.files():
            if file.channels is None:
                return None
            parts.append(file.channels)
        return np.concatenate(parts)

    @property
    def channels_scheme(self) -> str | None:
        """Name of the read-out scheme of the stored channel sums."""
        with ShowerFile(self.shards[0][0], self.detector) as file:
            return file.channels_scheme

    def files(self) -> Iterator[ShowerFile]:
        """The shards, one open at a time."""
        for shard, _ in self.shards:
            with ShowerFile(shard, self.detector) as file:
                yield file

    def close(self) -> None:
        """Nothing is open."""


def shards_of(folder: Path) -> list[tuple[Path, int]]:
    """Files of a finished production and their numbers of showers.

    Raises:
        DataError: the production is not finished, its shards hold no images in HDF5, or one of
            them is missing.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(
            f"{folder} holds the parts of an array of jobs: the same generate command without "
            "--shard joins them"
        )
    manifest = ManifestOfShards.read(path)
    if not manifest.complete:
        raise DataError(f"{folder} is not finished: the same generate command goes on")
    shards = [(one.file, one.showers) for one in manifest.shards]
    for name, _ in shards:
        if Path(name).name != name or (folder / name).is_symlink():
            raise DataError(f"{path} names {name[:80]!r}, which is no shard of this folder")
        if not name.startswith("showers-") or not name.endswith(".h5"):
            raise DataError(f"{folder} holds {name[:80]}: only HDF5 with images is read back")
        if not (folder / name).is_file():
            raise DataError(f"{folder / name} is missing: the same generate command makes it again")
    return [(folder / name, rows) for name, rows in shards]
