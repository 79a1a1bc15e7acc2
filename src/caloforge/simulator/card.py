"""simulator.json: all that a user of a simulator's graph has to know.

A simulator is a folder: ``generator.onnx`` (scaling inside), ``simulator.json`` (this card) and
``reference.npz`` (sixteen stored answers).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from caloforge.detector import Detector
from caloforge.documents import flaw_of, read_json
from caloforge.errors import DataError
from caloforge.io.files import write_aside
from caloforge.simulator.sampling import Sampling, name_of_law

FORMAT: Literal["caloforge-simulator"] = "caloforge-simulator"
VERSION: Literal[2] = 2
"""Version 1 has no species, quality and weaknesses, and no law of counts in clumps."""
GRAPH, CARD, REFERENCE = "generator.onnx", "simulator.json", "reference.npz"
LARGEST_CARD_BYTES = 16 * 2**20


class Part(BaseModel):
    """A frozen, validated part of a card."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Measurement(Part):
    """A measure of the simulator's showers against real ones, with what it can be."""

    name: str
    value: float
    error: float | None = None
    floor: float | None = None
    """The same measure between two halves of the real showers: the noise floor."""
    floor_error: float | None = None
    unit: str = ""


class Quality(Part):
    """What was measured, on which showers, and what the gate answered."""

    against: str
    """The showers that it was compared with."""
    against_sha256: str = ""
    measurements: tuple[Measurement, ...] = ()
    accepted: bool | None = None
    """The gate's answer; None where it was not asked or could not say."""
    failed: tuple[str, ...] = ()
    """Checks of the gate that failed."""


class SimulatorCard(BaseModel):
    """What simulator.json says: all that a user of the graph has to know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["caloforge-simulator"] = FORMAT
    version: Literal[1, 2] = VERSION
    detector: Detector
    latent_size: int = Field(ge=1, le=65536)
    latent_law: Literal["normal"] = "normal"
    sampling: Sampling
    training_ranges: dict[str, tuple[FiniteFloat, FiniteFloat]]
    """Smallest and largest value of each condition that the generator was trained on."""
    impact_ranges_cm: dict[str, tuple[FiniteFloat, FiniteFloat]] = {}
    """Where the particles of training met the face, of each impact feature of the detector."""
    species: tuple[int, ...] = ()
    """PDG numbers of the particles that it was trained on; empty where the card does not tell."""
    recipe: dict[str, Any]
    """The recipe; ``run`` in it names the commit, the data and their checksum."""
    cpu_seconds: float | None = Field(default=None, ge=0)
    """What the training took."""
    generator_sha256: str
    caloforge_version: str
    provenance: dict[str, str] = {}
    """Of the training data: engine, source, licence."""
    quality: Quality | None = None
    """None: not judged."""
    weaknesses: tuple[str, ...] = ()
    """What is known to be off, in plain words."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if set(self.training_ranges) != set(self.detector.columns):
            raise ValueError(f"training_ranges must name {list(self.detector.columns)}")
        if self.detector.counts == (self.sampling == "continuous"):
            law = name_of_law(self.sampling)
            raise ValueError(f"sampling {law} does not fit {self.detector.name}")
        return self


Record = TypeVar("Record", bound=BaseModel)


def read_card(path: Path) -> SimulatorCard:
    """The card of a simulator; DataError names what is wrong with it, a newer version by number."""
    return read_record(path, SimulatorCard, "simulator")


def read_record(path: Path, model: type[Record], what: str) -> Record:
    """A JSON record with the model's ``format`` and its ``version`` or an older one, checked.

    Raises DataError in one line for anything else.
    """
    kind, version = (model.model_fields[name].default for name in ("format", "version"))
    record = read_json(path, largest_bytes=LARGEST_CARD_BYTES)
    if not isinstance(record, Mapping) or record.get("format") != kind:
        raise DataError(f"{path} describes no {what} (format is not {kind})")
    if record.get("version") not in range(1, version + 1):
        raise DataError(
            f"{path} has {kind} version {record.get('version')!r}; this caloforge reads "
            f"{version}: update caloforge or export again"
        )
    try:
        return model.model_validate_json(json.dumps(record))
    except ValidationError as error:
        raise DataError(f"{path}: {flaw_of(error)}") from error


def write_quality(folder: Path, quality: Quality) -> None:
    """State a measured quality in the card of a simulator, in the place of an older one."""
    card = read_card(folder / CARD).model_copy(update={"quality": quality, "version": VERSION})
    with write_aside(folder / CARD, overwrite=True) as aside:
        aside.write_text(card.model_dump_json(indent=1), encoding="utf-8")


def read_limited(path: Path, limit: int) -> bytes:
    """Bytes of a file of a simulator, refused above a size that none has."""
    try:
        if path.stat().st_size > limit:
            raise DataError(f"{path} is larger than {limit} bytes")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


__all__ = [
    "CARD",
    "GRAPH",
    "REFERENCE",
    "Measurement",
    "Quality",
    "SimulatorCard",
    "read_card",
    "read_limited",
    "read_record",
]
