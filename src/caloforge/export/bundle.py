"""A bundle: the files that another program reads, and bundle.json that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from caloforge.detector import Detector
from caloforge.documents import Document, flaw_of
from caloforge.errors import DataError, UsageError
from caloforge.io.files import sha256_of
from caloforge.simulator import GRAPH, Simulator
from caloforge.simulator.card import LARGEST_CARD_BYTES, PdgNumber, Quality, Range
from caloforge.simulator.reference import Reference, read_reference
from caloforge.simulator.sampling import Sampling

CARD, REFERENCE = "bundle.json", "reference.npz"


class ReaderFacts(BaseModel):
    """What an emulator has to know of a bundle; each reader has its own."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


Facts = TypeVar("Facts", bound=ReaderFacts)
Cells = Annotated[int, Field(ge=1, le=1024)]
"""Cells along an axis of a reader's mesh."""
Size = Annotated[float, Field(gt=0)]


class BundleCard(Document):
    """What bundle.json says."""

    FORMAT = "caloforge-bundle"
    VERSION = 2
    LARGEST_BYTES = LARGEST_CARD_BYTES

    target: str
    detector: Detector
    latent_size: int = Field(ge=1, le=65536)
    """Latents that the generator has; the reader may draw more."""
    sampling: Sampling
    training_ranges: dict[str, Range]
    files: dict[str, str]
    """SHA-256 of each file that the reader reads, and of the stored answers."""
    reader: dict[str, Any] = Field(default={})
    """What this reader's emulator has to know (mesh, energy range, classifier, ...)."""
    generator_sha256: str
    recipe: dict[str, Any]
    provenance: dict[str, str] = Field(default={})
    caloforge_version: str
    species: tuple[PdgNumber, ...] = ()
    """PDG numbers that the generator was trained on."""
    cpu_seconds: float | None = None
    quality: Quality | None = None
    """Of the simulator; None: not judged."""
    weaknesses: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_stay_inside(self) -> Self:
        for name in self.files:
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                raise ValueError(f"file {name} is not inside the bundle")
        return self


class Bundle:
    """A bundle's folder and card."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.card = read_card(self.folder / CARD)

    def reader(self, facts: type[Facts]) -> Facts:
        """What the reader's emulator has to know; DataError where the card does not tell."""
        try:
            return facts.model_validate(self.card.reader)
        except ValidationError as error:
            raise DataError(f"{self.folder / CARD}: reader.{flaw_of(error)}") from error

    def file(self, name: str) -> Path:
        """Path of a file of the bundle; DataError when the card or the folder lacks it."""
        path = self.folder / name
        if name not in self.card.files:
            raise DataError(f"{self.folder / CARD} names no {name}")
        if not path.is_file():
            raise DataError(f"{path} is missing; export again")
        return path

    def reference(self) -> Reference:
        """Stored latents, conditions and expected cells of the native model."""
        detector = self.card.detector
        sizes = (self.card.latent_size, len(detector.columns), detector.cells)
        return read_reference(self.file(REFERENCE), *sizes)

    def require_checksums(self) -> None:
        """Raise DataError when a file is not the one that was exported."""
        for name, checksum in self.card.files.items():
            if sha256_of(self.file(name)) != checksum:
                raise DataError(f"{self.folder / name} is not the file that {CARD} describes")


def read_card(path: str | Path) -> BundleCard:
    """The card of a bundle; DataError names what is wrong with it, a newer version by number."""
    return BundleCard.read(Path(path))


@dataclass(frozen=True)
class Options:
    """What an adapter may need beside the simulator; each takes what it knows."""

    showers: str | Path | None = None
    """Showers that a classifier is made from, or whose particles fill a library."""
    mesh: tuple[int, ...] | None = None
    """Cells along the axes of a reader's mesh, in the reader's order."""
    count: int = 1000
    """Showers of a library."""
    particle: int | None = None
    """PDG number of the particles; default: the species of the card."""
    seed: int = 0


@dataclass(frozen=True)
class Contents:
    """What an adapter makes: files by name, facts for the reader's emulator, a README."""

    files: Mapping[str, bytes]
    facts: Mapping[str, Any]
    readme: str
    paste: str = ""
    """What the user has to type or to write next, on one line."""
    reference: Reference | None = None
    """The native model's answers to what the reader can ask; default: the simulator's own."""


def generator_bytes(simulator: Simulator) -> bytes:
    """The generator's graph as it was loaded."""
    return (simulator.folder / GRAPH).read_bytes()


def require_latents(simulator: Simulator, n_latents: int, reader: str) -> None:
    """Raise UsageError when the generator wants more latents than the reader draws."""
    if simulator.latent_size > n_latents:
        raise UsageError(
            f"{simulator.folder} has {simulator.latent_size} latents, {reader} draws {n_latents}: "
            f"train with --set generator.latent={n_latents}"
        )
