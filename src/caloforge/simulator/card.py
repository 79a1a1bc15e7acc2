"""simulator.json: all that a user of a simulator's graph has to know.

A simulator is a folder: ``generator.onnx`` (scaling inside), ``simulator.json`` (this card) and
``reference.npz`` (sixteen stored answers).

A card in words: what a simulator was trained on, how good it is, what it may be asked.

The sixteen stored answers by which any runtime can tell that it computes what was exported.

Shapes: N triples (16), Z latents, C conditions, K cells.

Simulators that ship, one folder each, and where a simulator that a user names lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
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
from caloforge.errors import DataError, UsageError
from caloforge.io.files import write_aside
from caloforge.io.npy import StoredArray, names_in
from caloforge.simulator.domain import Domain
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


class QualityCard(Protocol):
    """A card that tells how good the showers are."""

    @property
    def quality(self) -> Quality | None:
        """What was measured."""
        ...

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """What is known to be off."""
        ...


def describe(card: SimulatorCard) -> str:
    """All that a user has to know, some lines of text."""
    run = card.run
    lines = [
        f"simulator of {card.detector.name} ({card.detector.title}), {card.latent_size} latents",
        f"recipe: {card.recipe.get('name', 'not stated')}, caloforge {card.caloforge_version}, "
        f"commit {run.commit or 'not stated'}",
        *module_lines(card),
        f"trained on: {card.provenance.get('source', run.data.path or 'not stated')}"
        f" (sha256 {(run.data.sha256 or 'not stated')[:16]})",
        f"species: {', '.join(map(str, card.species)) or 'not stated'} (PDG numbers)",
        f"training: {_seconds(card.cpu_seconds)}",
        f"counts: {law_text(card.sampling, card.detector)}",
        "domain:",
        *(f"  {rule.name}: {rule.text}" for rule in Domain(card).rules),
        *quality_lines(card),
    ]
    return "\n".join(lines)


def module_lines(card: SimulatorCard) -> Iterator[str]:
    """Modules outside caloforge that terms and networks came from."""
    rows = card.recipe.get("modules")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            version = f" {row['version']}" if row.get("version") else ""
            yield f"module: {row.get('name')}{version} (sha256 {str(row.get('sha256'))[:16]})"


def law_text(sampling: Sampling, detector: Detector) -> str:
    """How cells are drawn."""
    if isinstance(sampling, str):
        return sampling
    return (
        f"{sampling.law}, variance over mean 1 + {sampling.excess:g} + {sampling.slope:g} x mean "
        f"({detector.quantity} of a cell)"
    )


def quality_lines(card: QualityCard) -> Iterator[str]:
    """What was measured, the gate's answer and what is known to be off; or that nothing was."""
    if card.quality is None:
        yield "quality: not evaluated"
    else:
        yield f"quality, against {card.quality.against}:"
        yield from (f"  {measured_text(one)}" for one in card.quality.measurements)
        yield f"  gate: {gate_text(card.quality)}"
    yield from (f"weakness: {text}" for text in card.weaknesses)


def measured_text(one: Measurement) -> str:
    """A measure with its error and its floor."""
    value = f"{one.value:.4g}" + ("" if one.error is None else f" +- {one.error:.2g}")
    floor = "" if one.floor is None else f" (floor {one.floor:.4g})"
    return f"{one.name}: {value}{f' {one.unit}' if one.unit else ''}{floor}"


def gate_text(quality: Quality) -> str:
    """The gate's answer, in words."""
    if quality.accepted is None:
        return "not asked"
    failures = f": {', '.join(quality.failed)}" if quality.failed else ""
    return "accepted" if quality.accepted else f"REJECTED{failures}"


def _seconds(cpu_seconds: float | None) -> str:
    return "time not stated" if cpu_seconds is None else f"{cpu_seconds:.0f} CPU seconds"


TRIPLES = 16
RELATIVE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Reference:
    """Latents, physical conditions and the expected cells that belong to them."""

    latent: NDArray[np.float32]
    conditions: NDArray[np.float32]
    response: NDArray[np.float32]

    def write(self, path: Path) -> None:
        """Write an npz file without pickle."""
        np.savez_compressed(path, allow_pickle=False, **self.__dict__)

    def difference(self, response: NDArray[np.float32]) -> float:
        """Largest deviation of an answer, as a share of the largest expected cell."""
        scale = float(np.abs(self.response).max())
        return float(np.abs(response - self.response).max()) / (scale or 1.0)


def read_reference(path: Path, latent: int, conditions: int, cells: int) -> Reference:
    """Stored triples of these sizes; sizes are checked before anything is allocated.

    Raises DataError for a file that is none, holds objects, or has other names or shapes.
    """
    names = [part.name for part in fields(Reference)]
    sizes = (latent, conditions, cells)
    try:
        if sorted(present := names_in(path)) != sorted(names):
            raise DataError(f"holds {present[:9]}, not {names}")
        return Reference(*(_array(path, *pair) for pair in zip(names, sizes, strict=True)))
    except DataError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise DataError(f"{path} is no file of reference triples: {reason}") from error


def _array(path: Path, name: str, width: int) -> NDArray[np.float32]:
    """One array of the file, float32 of the expected shape.  (16, width)"""
    array, expected = StoredArray(path, name), (TRIPLES, width)
    layout = (array.shape, array.dtype, array.fortran)
    if layout != (expected, np.dtype(np.float32), False):
        raise DataError(f"{name} is {array.dtype} {array.shape}, not float32 {expected}")
    values = array.whole()
    if not np.isfinite(values).all():
        raise DataError(f"{name} holds values that are not finite")
    return values


SHIPPED = Path(__file__).parents[1] / "simulators"


def shipped_simulators() -> list[str]:
    """Names of the simulators that ship, such as ``alice_zn`` or ``atlas_em/gamma``."""
    return sorted(card.parent.relative_to(SHIPPED).as_posix() for card in SHIPPED.rglob(CARD))


def shipped_simulator(name: str) -> Path:
    """Folder of a shipped simulator; UsageError with the names that exist."""
    if name not in shipped_simulators():
        names = ", ".join(shipped_simulators()) or "none"
        raise UsageError(f"no simulator {name} ships; there are: {names}")
    return SHIPPED / name


def find_simulator(text: str | Path) -> Path:
    """Folder of a simulator given as that folder, as a run folder, or by the name of a shipped one.

    Raises UsageError when it is none of them.
    """
    path = Path(text)
    for folder in (path, path / "simulator"):
        if (folder / CARD).is_file():
            return folder
    if path.exists():
        raise UsageError(f"{text} is neither a simulator nor a run: it has no {CARD}")
    return shipped_simulator(str(text).removeprefix(PREFIX))


def find_named(text: str, kinds: str) -> Path:
    """``find_simulator``, where a path that is not there is no misspelled name."""
    path = Path(text)
    if not path.exists() and len(path.parts) > 1 and text not in shipped_simulators():
        raise UsageError(f"{text}: no such {kinds}")
    return find_simulator(text)


def has_simulator(text: str) -> Path | None:
    """The folder of a simulator where the text names one, as its folder, a run's, or with
    ``simulator/`` before its name, since samples of showers have names like simulators.
    """
    path = Path(text)
    for folder in (path, path / "simulator"):
        if (folder / CARD).is_file():
            return folder
    name = text.removeprefix(PREFIX)
    return shipped_simulator(name) if name != text and name in shipped_simulators() else None


PREFIX = "simulator/"
