"""simulator.json: all that a user of a simulator's graph has to know.

A simulator is a folder: ``generator.onnx`` (scaling inside), ``simulator.json`` (this card) and
``reference.npz`` (sixteen stored answers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from caloforge.detector import Detector
from caloforge.documents import Document, Record, flaw_of
from caloforge.errors import DataError
from caloforge.io.files import write_aside
from caloforge.simulator.sampling import Sampling, name_of_law

GRAPH, CARD, REFERENCE = "generator.onnx", "simulator.json", "reference.npz"
LARGEST_CARD_BYTES = 16 * 2**20


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError(f"a range from {limits[0]:g} to {limits[1]:g}")
    return limits


Range = Annotated[tuple[FiniteFloat, FiniteFloat], AfterValidator(_ascending)]
"""Smallest and largest value."""
PdgNumber = Annotated[int, Field(ge=-(2**31), lt=2**31)]


class Part(Record):
    """A frozen, validated part of a card."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Measurement(Part):
    """A measure of the simulator's showers against real ones, with what it can be."""

    name: str
    title: str = ""
    """In words; empty in older cards."""
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


class TrainingData(Record):
    """The showers that a run was trained on."""

    model_config = ConfigDict(frozen=True, extra="allow")

    path: str | None = None
    sha256: str | None = None
    training_files: dict[str, str] = Field(default={})
    """Those that joined the training part, with their checksums."""


class RunFacts(Record):
    """What a run depends on beside its recipe, kept under ``run`` of the recipe."""

    model_config = ConfigDict(frozen=True, extra="allow")

    commit: str | None = None
    data: TrainingData = TrainingData()

    @classmethod
    def of_recipe(cls, recipe: Mapping[str, Any], where: str) -> RunFacts:
        """The facts that a recipe carries; DataError where they are none."""
        try:
            return RUN.validate_python({"run": recipe.get("run", {})})["run"]
        except ValidationError as error:
            raise DataError(f"{where}: {flaw_of(error)}") from error

    def get(self, name: str) -> Any:
        """A fact by its name, None where it is not kept."""
        return getattr(self, name, None)


RUN = TypeAdapter(dict[str, RunFacts])
"""By the name of their field, which errors then begin with."""


class SimulatorCard(Document):
    """What simulator.json says: all that a user of the graph has to know."""

    FORMAT = "caloforge-simulator"
    VERSION = 2
    """Version 1 has no species, quality and weaknesses, and no law of counts in clumps."""
    LARGEST_BYTES = LARGEST_CARD_BYTES

    detector: Detector
    latent_size: int = Field(ge=1, le=65536)
    latent_law: Literal["normal"] = "normal"
    sampling: Sampling
    training_ranges: dict[str, Range]
    """Of each condition that the generator was trained on."""
    impact_ranges_cm: dict[str, Range] = Field(default={})
    """Where the particles of training met the face, of each impact feature of the detector."""
    species: tuple[PdgNumber, ...] = ()
    """PDG numbers of the particles that it was trained on; empty where the card does not tell."""
    recipe: dict[str, Any]
    """The recipe; ``run`` in it names the commit, the data and their checksum."""
    cpu_seconds: float | None = Field(default=None, ge=0)
    """What the training took."""
    generator_sha256: str
    caloforge_version: str
    provenance: dict[str, str] = Field(default={})
    """Of the training data: engine, source, licence."""
    quality: Quality | None = None
    """None: not evaluated."""
    weaknesses: tuple[str, ...] = ()
    """What is known to be off, in plain words."""

    @property
    def run(self) -> RunFacts:
        """What the training depended on beside the recipe."""
        return RunFacts.of_recipe(self.recipe, CARD)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if set(self.training_ranges) != set(self.detector.columns):
            raise ValueError(f"training_ranges must name {list(self.detector.columns)}")
        try:
            RunFacts.of_recipe(self.recipe, "recipe")
        except DataError as error:
            raise ValueError(str(error)) from error
        if self.detector.counts == (self.sampling == "continuous"):
            law = name_of_law(self.sampling)
            raise ValueError(f"sampling {law} does not fit {self.detector.name}")
        return self


def read_card(path: str | Path) -> SimulatorCard:
    """The card of a simulator; DataError names what is wrong with it, a newer version by number."""
    return SimulatorCard.read(Path(path))


def write_quality(folder: Path, quality: Quality, weaknesses: Sequence[str] = ()) -> None:
    """State a measured quality, and what is off, in the card in the place of older ones."""
    news = {"quality": quality, "weaknesses": tuple(weaknesses)}
    card = read_card(folder / CARD).model_copy(update=news)
    with write_aside(folder / CARD, overwrite=True) as aside:
        aside.write_text(card.to_json(indent=1), encoding="utf-8")
