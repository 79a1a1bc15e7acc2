"""A recipe: everything that decides what a training run does. The only configuration there is."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from caloforge.detector import Detector
from caloforge.detectors import DETECTORS, detector_of_name
from caloforge.documents import Document, Record, flaw_of, json_or_word
from caloforge.errors import UsageError
from caloforge.extensions import Origin, origin_of, sources
from caloforge.networks import CriticConfig, GeneratorConfig
from caloforge.objectives import TERMS, Objective, objective_from_record, objective_record
from caloforge.simulator.sampling import NegativeBinomial

MOST = 10**9
"""Of rows and steps: products of two fit into the numbers of an array's shape."""


class Part(Record):
    """A frozen, validated part of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Adam(Part):
    """Adam for one player."""

    learning_rate: float = Field(default=2e-4, gt=0)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.99, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled from the gradient (AdamW); keeps a network from learning particles by heart."""


class Optimisers(Part):
    """One optimiser per player."""

    generator: Adam = Adam()
    critic: Adam = Adam()
    helper: Adam = Adam()


class Data(Part):
    """What a batch is and which particles are trained on."""

    particles: int = Field(default=16, ge=1, le=MOST)
    """Particles in a batch."""
    repeats: int = Field(default=8, ge=1, le=MOST)
    """Rows of each particle in a batch."""
    symmetries: bool = True
    """Exact symmetries of the detector as augmentation."""
    spread_scale: Literal["counts", "log1p"] = "log1p"
    spread_relative: bool = False
    """Divide the spread by the square root of the mean total."""
    validation: float = Field(default=0.1, gt=0, lt=1)
    test: float = Field(default=0.1, gt=0, lt=1)
    """Fractions of the particles kept for choosing and for judging."""
    split: Literal["particle", "row"] = "particle"
    """A split by row leaks conditions into the test; for published protocols only."""
    split_seed: int = Field(default=0, ge=0, lt=2**63)
    """Decides which particles are kept, apart from the seed of the run."""
    showers_per_particle: int | None = Field(default=None, ge=1, le=MOST)
    """Train on at most so many showers of each particle."""
    training_particles: int | None = Field(default=None, ge=1, le=MOST)
    """Train on at most so many particles, drawn at random by ``split_seed``."""
    buffer_rows: int = Field(default=65536, ge=1, le=MOST)
    """Rows held in memory while reading."""
    training_files: tuple[str, ...] = ()
    """Samples or files that join the training part; validation and test stay those of the first."""


class Training(Part):
    """Steps, intervals of validation, what is kept."""

    steps: int = Field(default=2000, ge=1, le=MOST)
    critic_steps: int = Field(default=1, ge=0, le=MOST)
    """Rounds of the critic before each round of the generator."""
    generator_steps: int = Field(default=1, ge=1, le=MOST)
    """Rounds of the generator in each step, with fresh latents."""
    pretraining: int = Field(default=0, ge=0, le=MOST)
    """First steps, in which only helper networks play; they are frozen after. 0: all play."""
    drawn: bool = True
    """Critic and terms see drawn counts, as ``generate`` writes them; False: expected counts, as in
    the papers, where the distance of two fakes of a collapsed generator is 0."""
    warm_up: int = Field(default=0, ge=0, le=MOST)
    """Steps over which the generator's learning rate rises to its value."""
    decay_from: float = Field(default=0.5, ge=0, le=1)
    """Part of the run after which learning rates fall linearly to zero."""
    average: float | None = Field(default=0.99, gt=0, lt=1)
    """Decay of the running average of the generator's weights, the one that ships."""
    validation_interval: int = Field(default=200, ge=1, le=MOST)
    """Steps between scores on the validation particles; the best generator is kept."""
    checkpoint_interval: int = Field(default=200, ge=1, le=MOST)
    """Steps between checkpoints."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """``auto`` takes bfloat16 where the hardware gains by it."""


ObjectiveField = Annotated[
    Objective, BeforeValidator(objective_from_record), PlainSerializer(objective_record)
]


class Start(Part):
    """First steps of a run, in which the generator is trained alone for another objective."""

    steps: int = Field(default=200, ge=0, le=MOST)
    """Of the steps of the run, at most a tenth of them; 0: the game begins at once."""
    objective: ObjectiveField
    generator: Adam = Adam(learning_rate=2e-3)
    """Its learning rate falls linearly to zero over the second half of these steps."""


class Recipe(Document):
    """One training run, whole: same recipe, data and seed, same result.

    Example:
        >>> from caloforge.recipe import override
        >>> from caloforge.recipes import recipe_of_name
        >>> recipe = recipe_of_name("sdi-gan", "alice_zn")
        >>> shorter = override(recipe, ["training.steps=100"])
        >>> shorter.training.steps, Recipe.from_json(shorter.to_json()) == shorter
        (100, True)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    FORMAT = "caloforge-recipe"
    VERSION = 2
    ERROR = UsageError

    name: str = Field(pattern=r"^[^/\\\x00-\x1f]+$")
    """Also the first part of the name of a run folder."""
    detector: str = "alice_zn"
    described: Detector | None = None
    """The detector itself, where it came from a file: a recipe needs nothing beside it."""
    citation: str = ""
    """The paper that the recipe follows."""
    generator: GeneratorConfig = GeneratorConfig()
    critic: CriticConfig = CriticConfig()
    objective: ObjectiveField
    start: Start | None = None
    """What comes before the game."""
    optimisers: Optimisers = Optimisers()
    data: Data = Data()
    training: Training = Training()
    sampling: Literal["rounding", "poisson", "negative-binomial"] | NegativeBinomial = "rounding"
    """How counts are drawn from expected counts, in training and in generation alike. The numbers
    of ``negative-binomial``, if none are given, are read off the repeats of training showers; where
    there are too few, counts follow Poisson's law."""
    seed: int = Field(default=0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _names_what_it_describes(self) -> Recipe:
        if self.described is not None and self.described.name != self.detector:
            raise ValueError(f"describes {self.described.name}, but names {self.detector}")
        return self

    @model_serializer(mode="wrap")
    def _without_empty_parts(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        record: dict[str, Any] = write(self)
        for name in ("described", "start"):
            if record[name] is None:
                del record[name]
        return record

    def resolve(self) -> Detector:
        """The detector that the recipe names or describes."""
        return self.described or detector_of_name(self.detector)

    def made_for(self, detector: Detector) -> Recipe:
        """The same recipe for another detector, which travels with it unless it ships."""
        ships = DETECTORS.own.get(detector.name) == detector
        changes = {"detector": detector.name, "described": None if ships else detector}
        return self.model_copy(update=changes)

    @property
    def modules(self) -> tuple[Origin, ...]:
        """Modules outside this package that its terms and networks come from, by name."""
        objectives = (self.objective, self.start.objective) if self.start else (self.objective,)
        pieces: list[Any] = [type(term) for one in objectives for _, term in one.terms]
        pieces += [config.KINDS[config.kind] for config in (self.generator, self.critic)]
        return tuple(sorted({o for piece in pieces if (o := origin_of(piece)) is not None}))

    @property
    def record(self) -> dict[str, Any]:
        """The recipe as a JSON object, with the modules outside this package that it needs."""
        record = super().record
        if origins := self.modules:
            record["modules"] = [origin._asdict() for origin in origins]
        return record

    @classmethod
    def of_record(cls, record: Any, where: str = "") -> Self:
        """The recipe of a JSON object; UsageError says which module it lacks."""
        try:
            return super().of_record(record, where)
        except UsageError as error:
            text = str(error) if str(error).startswith(where) else f"{where}: {error}"
            origins = record.get("modules") if isinstance(record, dict) else None
            raise UsageError(text + import_hint(origins)) from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of ``to_json``; raises UsageError for anything else."""
        return cls.parse(text, "recipe")

    @classmethod
    def upgraded(cls, fields: dict[str, Any], version: int) -> dict[str, Any]:
        """Without what a recipe says of its modules, and a run folder of its run."""
        fields = from_version_1(fields) if version == 1 else dict(fields)
        for name in ("run", "modules"):
            fields.pop(name, None)
        if isinstance(generator := fields.get("generator"), dict):
            fields["generator"] = {
                OLD_FIELDS.get(name, name): generator[name] for name in generator
            }
        return fields


def import_hint(origins: Any) -> str:
    """How to import the modules that a recipe names; nothing is imported because it does."""
    rows = origins if isinstance(origins, list) else []
    entries = [row for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)]
    missing = [row for row in entries if row["name"] not in {source.name for source in sources()}]
    if not missing:
        return ""
    names = ", ".join(f"{row['name']} {row.get('version') or ''}".strip() for row in missing)
    options = " ".join(f"--import {row['name']}" for row in missing)
    return f"; it was written with {names}: give {options}"


LONGEST_START = 0.1
"""Part of a run that its start may take: short runs keep their game."""


def start_steps(recipe: Recipe) -> int:
    """Steps of the start; 0 without one."""
    if recipe.start is None:
        return 0
    return min(recipe.start.steps, int(LONGEST_START * recipe.training.steps))


OLD_FIELDS = {"told": "attributes"}
"""Former names of the settings of the generator."""
ABSENT_IN_VERSION_1: dict[str, dict[str, Any]] = {
    "R1": {"space": "cells"},
    "GradientPenalty": {"space": "cells"},
    "ModeSeeking": {"unit": "none"},
    "SelectiveDiversity": {"unit": "none"},
    "BalancedDiversity": {"unit": "none"},
    "DiversitySensitive": {"unit": "none"},
}
"""What terms did before they had a setting for it."""


def from_version_1(record: dict[str, Any]) -> dict[str, Any]:
    """The same run as a record of version 2, in which some defaults are others."""
    upgraded = dict(record)
    if isinstance(objective := record.get("objective"), dict):
        upgraded["objective"] = {
            name: ABSENT_IN_VERSION_1.get(name, {}) | fields if isinstance(fields, dict) else fields
            for name, fields in objective.items()
        }
    if isinstance(generator := record.get("generator", {}), dict):
        heads = {"head": "steep"} if generator.get("kind", "light") in ("light", "o2") else {}
        upgraded["generator"] = {"blurred": "deposits"} | heads | generator
    return upgraded


AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


def override(recipe: AnyRecipe, settings: list[str], *, option: str = "--set") -> AnyRecipe:
    """The recipe with ``path=value`` settings applied, for example ``training.steps=100``.

    ``option`` is the name under which errors know the settings.

    Raises UsageError for an unknown path, with the names that are valid there.
    """
    record = recipe.model_dump(mode="json")
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(
                f"{option} {setting}: write path=value, for example training.steps=100"
            )
        _assign(record, path, json_or_word(text), option)
    try:
        return type(recipe).model_validate(record)
    except ValidationError as error:
        raise UsageError(f"{option}: {flaw_of(error)}") from error


def _assign(record: dict[str, Any], path: str, value: Any, option: str) -> None:
    *parents, last = path.split(".")
    if parents == ["generator"]:
        last = OLD_FIELDS.get(last, last)
    _make_place(record, [*parents, last])
    place: Any = record
    for depth, name in enumerate([*parents, last]):
        if not isinstance(place, dict) or name not in place:
            names = ", ".join(sorted(place)) if isinstance(place, dict) else "nothing below it"
            where = ".".join(path.split(".")[:depth]) or "the recipe"
            raise UsageError(f"{option} {path}: {where} has no {name}; valid: {names}")
        if depth < len(parents):
            place = place[name]
    place[last] = value


def _make_place(record: dict[str, Any], names: list[str]) -> None:
    """Add what a setting may add: a term to the objective, an option of an own network."""
    match names:
        case ["objective", term, field] if term in TERMS:
            fields = record["objective"].setdefault(term, {"weight": 1.0})
            if field in TERMS[term].model_fields:
                fields.setdefault(field, None)
        case ["generator" | "critic" as player, "options", *option]:
            options = record[player].setdefault("options", {})
            for name in option if isinstance(options, dict) else []:
                options.setdefault(name, None)
