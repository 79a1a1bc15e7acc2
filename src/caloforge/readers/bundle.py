"""A bundle: the files that another program reads, and bundle.json that says what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.io.files import sha256_of
from caloforge.simulator.reference import Reference, read_reference
from caloforge.simulator.sampling import Sampling

CARD, REFERENCE = "bundle.json", "reference.npz"
FORMAT: Literal["caloforge-bundle"] = "caloforge-bundle"
VERSION: Literal[1] = 1
LARGEST_CARD_BYTES = 16 * 2**20


class BundleCard(BaseModel):
    """What bundle.json says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["caloforge-bundle"] = FORMAT
    version: Literal[1] = VERSION
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
    try:
        if path.stat().st_size > LARGEST_CARD_BYTES:
            raise DataError(f"{path} is larger than a card can be")
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; is it a bundle?") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}") from error
    if not isinstance(record, Mapping) or record.get("format") != FORMAT:
        raise DataError(f"{path} describes no bundle (format is not {FORMAT})")
    if record.get("version") != VERSION:
        raise DataError(
            f"{path} has {FORMAT} version {record.get('version')!r}; this caloforge reads "
            f"{VERSION}: update caloforge or export again"
        )
    try:
        return BundleCard.model_validate_json(json.dumps(record))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "card"
        raise DataError(f"{path}: {place}: {first['msg']}") from error


__all__ = ["CARD", "REFERENCE", "Bundle", "BundleCard", "read_card"]
