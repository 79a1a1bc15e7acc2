"""What a file format is: how others keep showers, and how to walk through it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Column, Showers
from caloforge.detector import Detector
from caloforge.detectors.species import MEV_PER_GEV
from caloforge.errors import DataError, UsageError
from caloforge.io.reading import reading
from caloforge.reporter import SILENT, Reporter

Values = Literal["raw", "log1p"]
EnergyUnit = Literal["GeV", "MeV"]
CHUNK_ROWS = 2048
OPTIONS = {
    "pdg": "--pdg",
    "face_z_mm": "--face-z",
    "sampling_fraction": "--sampling-fraction",
    "energy_unit": "--energy-unit",
    "clip_negative": "--clip-negative",
}
"""What a request may ask for that only some file formats can do."""


@dataclass(frozen=True)
class Layout:
    """Where the arrays of an own file are, by name."""

    cells: tuple[str, ...]
    """One array of all cells, or one a layer."""
    conditions: tuple[str, ...]
    """An array (N, columns), or columns."""
    columns: tuple[str, ...] = ()
    """Their names, ``-`` for those left out; default: the detector's, or what arrays are called."""
    units: tuple[str, ...] = ()
    """Of each column, ``-`` for the usual one; default: the detector's."""
    cells_unit: str = ""
    """Default: the detector's."""


@dataclass(frozen=True)
class ConversionRequest:
    """What somebody wants converted."""

    sources: tuple[Path, ...]
    detector: Detector | None = None
    """Inferred from the files when None."""
    values: Values | None = None
    """How cells are written; detected when None."""
    pdg: int | None = None
    """PDG id of all rows; for files that do not tell it, else refused."""
    face_z_mm: float | None = None
    """Where the front face is, in the frame of the files; for files that do not tell it."""
    sampling_fraction: float | None = None
    """Part of the deposited energy that the cells hold; for files that do not tell it."""
    energy_unit: EnergyUnit | None = None
    """Unit of energies and momenta of particles; what the format says when None."""
    clip_negative: bool = False
    """Take negative deposits for 0, and count them, instead of refusing them."""
    layout: Layout | None = None
    """Of own files; None: what the files are follows from what is in them."""
    allow_pickle: bool = False
    """Read pickles, too; nothing of them is executed."""
    reporter: Reporter = SILENT


@dataclass(frozen=True)
class ForeignShowers:
    """Showers of a foreign file, opened: rows of one particle come one after another."""

    detector: Detector
    provenance: Mapping[str, str]
    columns: tuple[Column, ...]
    rows: int
    chunks: Iterator[Showers]
    closing: Callable[[], Mapping[str, str]] = dict
    """Provenance that is known only after the last chunk."""


@dataclass(frozen=True)
class FileFormat:
    """A foreign way to keep showers."""

    name: str
    reads: str
    """What it reads, in a few words for the message that lists all file formats."""
    accepts: Callable[[tuple[Path, ...]], bool]
    """Whether these files look like it; it opens them but reads no showers."""
    open: Callable[[ConversionRequest], AbstractContextManager[ForeignShowers]]
    uses: frozenset[str] = frozenset()
    """Which of OPTIONS it heeds."""


def check_options(file_format: FileFormat, request: ConversionRequest) -> None:
    """Raise UsageError naming an option that would not be heeded."""
    for name, option in OPTIONS.items():
        value = getattr(request, name)
        # Not "if asked": a face at 0 mm is a face.
        if value is not None and value is not False and name not in file_format.uses:
            raise UsageError(
                f"{request.sources[0]}: {option} means nothing for {file_format.reads}; "
                "leave it out"
            )


def matching(sources: Sequence[Path]) -> tuple[Path, ...]:
    """Files, where a name that is none may be a pattern (``eplus_*.h5``); sorted within it."""
    paths: list[Path] = []
    for source in sources:
        try:
            matches = [] if source.exists() else sorted(source.parent.glob(source.name))
        except (OSError, ValueError):  # no name of a file, and no pattern
            matches = []
        paths += matches or [source]
    return tuple(paths)


def starts_with(path: Path, magic: bytes) -> bool:
    """Whether a file begins with these bytes."""
    with reading(path), path.open("rb") as file:
        return file.read(len(magic)) == magic


def together(particle: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order of rows that brings each particle together, particles as they first appear.  (N,)"""
    _, first, inverse = np.unique(particle, return_index=True, return_inverse=True)
    return np.argsort(first[inverse], kind="stable")


def in_gev(
    detector: Detector, conditions: NDArray[np.float64], unit: EnergyUnit | None
) -> NDArray[np.float64]:
    """Conditions whose energies and momenta were in another unit.  (N, C)"""
    if unit != "MeV":
        return conditions
    per_unit = [MEV_PER_GEV if c.unit in ("GeV", "GeV/c") else 1.0 for c in detector.conditions]
    return np.asarray(conditions / np.array(per_unit))


def check_detector(detector: Detector, requested: Detector | None) -> Detector:
    """The detector found; DataError naming both when another one is wanted."""
    if requested is not None and requested.name != detector.name:
        raise DataError(f"holds showers of {detector.name}, but {requested.name} is asked for")
    return detector
