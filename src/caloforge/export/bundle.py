"""A bundle: the files that another program reads, and bundle.json that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from caloforge.detector import Detector
from caloforge.errors import DataError, UsageError
from caloforge.io.files import sha256_of
from caloforge.simulator import GRAPH, Simulator
from caloforge.simulator.card import Quality, read_record
from caloforge.simulator.reference import Reference, read_reference
from caloforge.simulator.sampling import Sampling

CARD, REFERENCE = "bundle.json", "reference.npz"
FORMAT: Literal["caloforge-bundle"] = "caloforge-bundle"
VERSION: Literal[2] = 2


class BundleCard(BaseModel):
    """What bundle.json says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["caloforge-bundle"] = FORMAT
    version: Literal[1, 2] = VERSION
    target: str
    detector: Detector
    latent_size: int = Field(ge=1, le=65536)
    """Latents that the generator has; the reader may draw more."""
    sampling: Sampling
    training_ranges: dict[str, tuple[float, float]]
    files: dict[str, str]
    """SHA-256 of each file that the reader reads, and of the stored answers."""
    reader: dict[str, Any] = {}
    """What this reader's emulator has to know (mesh, energy range, classifier, ...)."""
    generator_sha256: str
    recipe: dict[str, Any]
    provenance: dict[str, str] = {}
    caloforge_version: str
    species: tuple[int, ...] = ()
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

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.card = read_card(folder / CARD)

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


def read_card(path: Path) -> BundleCard:
    """The card of a bundle; DataError names what is wrong with it, a newer version by number."""
    return read_record(path, BundleCard, "bundle")


@dataclass(frozen=True)
class Options:
    """What an adapter may need beside the simulator; each takes what it knows."""

    showers: Path | None = None
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


__all__ = [
    "CARD",
    "REFERENCE",
    "Bundle",
    "BundleCard",
    "Contents",
    "Options",
    "generator_bytes",
    "read_card",
    "require_latents",
]
