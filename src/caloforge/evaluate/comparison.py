"""Comparison of several runs: recipes and seeds against the same real showers and each other.

Shapes: B resamplings of the particles and the sample itself before them, S seeds.

Several seeds of one recipe become one number with the error of both particles and seeds. The
resamplings are the same for all recipes, so a difference of two recipes has a paired error:
particles that are hard for both cancel. Seeds are not paired; their errors add in quadrature.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.documents import read_json_lines
from caloforge.errors import DataError, UsageError
from caloforge.evaluate import resampling
from caloforge.evaluate.baselines import REAL
from caloforge.evaluate.engine import PairedEvaluation
from caloforge.evaluate.inputs import EvaluationInputs, Part, load
from caloforge.evaluate.metrics.metric import Metric
from caloforge.evaluate.paired import Replicates
from caloforge.evaluate.resampling import Measured, measured
from caloforge.evaluate.result import TITLES
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator import CARD, read_card
from caloforge.simulator.card import RunFacts
from caloforge.simulator.shipped import find_named

Recipe = Mapping[str, Any]
"""A recipe as it lies in a simulator's card: compared, never executed."""
NOT_SETTINGS = ("format", "version", "run", "seed", "citation")
SHOWN_SETTINGS = 2


@dataclass(frozen=True)
class Run:
    """A run folder or simulator that was named."""

    path: str
    recipe: Recipe

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return str(self.recipe["name"])

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.recipe["seed"])

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the seeds of one recipe have in common, by path."""
        return dict(_flat({k: v for k, v in self.recipe.items() if k not in NOT_SETTINGS}))

    @property
    def training_showers(self) -> tuple[str, ...]:
        """Files that it was trained on, by name and beginning of the checksum."""
        data = RunFacts.of_recipe(self.recipe, self.path).data
        files = {Path(data.path or "unknown").name: data.sha256 or "", **data.training_files}
        return tuple(f"{name} {sha256[:7]}".strip() for name, sha256 in files.items())

    @property
    def cpu_seconds(self) -> float | None:
        """CPU seconds of the training, where the run folder tells."""
        path = Path(self.path) / "metrics.jsonl"
        lines = read_json_lines(path)
        try:
            return float(lines[-1]["cpu_seconds"]) if lines else None
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: its last line has no cpu_seconds") from error


def runs_by_recipe(paths: Sequence[str]) -> dict[str, list[Run]]:
    """Runs by the label of their recipe, seeds in order.

    Recipes of one name with other settings are numbered. Raises UsageError for what is no
    simulator, and for a seed that stands there twice.
    """
    by_settings: dict[str, list[Run]] = {}
    for run in map(run_of, paths):
        key = json.dumps(run.settings, sort_keys=True)
        by_settings.setdefault(key, []).append(run)
    groups = list(by_settings.values())
    for group in groups:
        group.sort(key=lambda one: one.seed)
        for first, second in itertools.pairwise(group):
            if first.seed == second.seed:
                raise UsageError(
                    f"{first.path} and {second.path} are the same recipe and seed {first.seed}"
                )
    return dict(zip(labels(groups), groups, strict=True))


def run_of(path: str) -> Run:
    """One run; UsageError when it is none, DataError when it does not tell its recipe."""
    folder = find_named(path, "run or simulator")
    recipe = read_card(folder / CARD).recipe
    if not {"name", "seed"} <= recipe.keys():
        raise DataError(f"{folder / CARD} does not tell the recipe and its seed")
    for entry, kind in (("name", str), ("seed", int)):
        if type(recipe[entry]) is not kind:
            raise DataError(f"{folder / CARD}: {entry} of the recipe is {recipe[entry]!r}")
    return Run(path, recipe)


def labels(groups: Sequence[Sequence[Run]]) -> list[str]:
    """The recipe's name, with a number where several recipes have that name."""
    names = [group[0].name for group in groups]
    return [
        f"{name} ({names[: n + 1].count(name)})" if names.count(name) > 1 else name
        for n, name in enumerate(names)
    ]


def differences(label: str, groups: Mapping[str, Sequence[Run]]) -> str:
    """What distinguishes a recipe from the others of its name, in words; often nothing."""
    mine = groups[label][0]
    others = [group[0].settings for group in groups.values() if group[0].name == mine.name]
    paths = sorted({path for other in others for path in other})
    different = [
        f"{path}={mine.settings.get(path, 'none')}"
        for path in paths
        if len({json.dumps(other.get(path)) for other in others}) > 1
    ]
    more = f" and {len(different) - SHOWN_SETTINGS} more" if len(different) > SHOWN_SETTINGS else ""
    return ", ".join(different[:SHOWN_SETTINGS]) + more


def _flat(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        path = f"{above}.{name}".strip(".")
        if isinstance(value, Mapping):
            yield from _flat(value, path)
        else:
            yield path, value


Values = NDArray[np.float64]


@dataclass(frozen=True)
class CombinedSeeds:
    """A number of a method: the mean over its seeds under every resampling."""

    replicates: Values
    """Of each seed, (S, 1 + B)."""

    @property
    def particles(self) -> Measured:
        """Mean over seeds; the error is that of the particles alone."""
        return measured(self.replicates.mean(axis=0))

    @property
    def seeds(self) -> float | None:
        """Standard error of the mean over seeds; None for a single one."""
        values = self.replicates[:, 0]
        if len(values) < 2 or not np.isfinite(values).all():
            return None
        return float(values.std(ddof=1) / math.sqrt(len(values)))

    @property
    def measured(self) -> Measured:
        """Mean over seeds with the error of particles and seeds."""
        return _with(self.particles, self.seeds)

    @property
    def record(self) -> dict[str, Any]:
        """For JSON: both parts of the error, and the value of each seed."""
        parts = {"error_particles": self.particles.error, "error_seeds": self.seeds}
        return self.measured.record | parts | {"by_seed": self.replicates[:, 0].tolist()}


@dataclass(frozen=True)
class Contrast:
    """How much larger a number of the second is than that of the first; positive: first wins."""

    first: str
    second: str
    particles: Measured
    """With the paired error of the particles, seeds pooled."""
    measured: Measured
    """With the errors of the seeds, too."""

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        both = {"sigma": self.measured.sigma, "sigma_particles": self.particles.sigma}
        parts = {"error_particles": self.particles.error}
        return {"first": self.first, "second": self.second} | self.measured.record | parts | both


def combine_seeds(replicates: Sequence[Values]) -> CombinedSeeds:
    """One number of all seeds.  S of (1 + B,)

    Example:
        >>> seeds = [np.array([2.0, 1.9, 2.1]), np.array([4.0, 3.9, 4.1])]
        >>> str(combine_seeds(seeds).measured), combine_seeds(seeds).seeds
        ('3.0 ± 1.0', 1.0)
    """
    return CombinedSeeds(np.stack(replicates))


def contrast(first: str, second: str, of: Mapping[str, CombinedSeeds]) -> Contrast:
    """The second minus the first, by the same resamplings of the particles.

    Args:
        first: Name of a method.
        second: Name of another.
        of: The same number of each method, seeds combined.

    Example:
        >>> hard = np.array([0.0, -3.0, 3.0])  # the same particles are hard for both
        >>> numbers = {"a": combine_seeds([hard + 10.0]), "b": combine_seeds([hard + 12.0])}
        >>> contrast("a", "b", numbers).measured.value
        2.0
    """
    a, b = of[first], of[second]
    difference = measured(b.replicates.mean(axis=0) - a.replicates.mean(axis=0))
    both = [error for error in (a.seeds, b.seeds) if error is not None]
    return Contrast(
        first, second, difference, _with(difference, math.hypot(*both) if both else None)
    )


def _with(particles: Measured, seeds: float | None) -> Measured:
    """The errors of particles and seeds in quadrature."""
    if particles.error is None or seeds is None:
        return particles
    return Measured(particles.value, math.hypot(particles.error, seeds), particles.note)


FORMAT, VERSION = "caloforge-comparison", 1
RIVAL = "nearest"
"""The baseline that every method is held against."""
FEW_SEEDS = 3
UNEQUAL_LENGTH = 1.25
"""Ratio of CPU seconds beyond which trainings were not equally long."""


@dataclass(frozen=True)
class Method:
    """A recipe with its seeds, or a baseline: its numbers."""

    label: str
    title: str
    numbers: Mapping[str, CombinedSeeds]
    seeds: tuple[int, ...] = ()
    cpu_seconds: float | None = None
    """Mean over its runs."""
    settings: str = ""
    """What distinguishes it from the other recipes of its name."""
    training_showers: frozenset[tuple[str, ...]] = frozenset()
    """Files that its runs were trained on."""

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "title": self.title,
            "settings": self.settings,
            "seeds": list(self.seeds),
            "cpu_seconds": self.cpu_seconds,
            "measures": {name: number.record for name, number in self.numbers.items()},
        }


@dataclass(frozen=True)
class Comparison:
    """All numbers of a comparison, and one generated sample of each method for pictures."""

    inputs: EvaluationInputs
    """Real showers, and the generated ones of the first run."""
    evaluation: PairedEvaluation
    methods: tuple[Method, ...]
    references: tuple[Method, ...]
    contrasts: tuple[Contrast, ...]
    measure: str
    """What the contrasts are of."""
    generated: Mapping[str, Showers]
    """Generated showers of the first seed of each method."""
    warnings: tuple[str, ...]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What the numbers are of."""
        return self.evaluation.bootstrap.metrics

    @property
    def particles(self) -> int:
        """Number of particles."""
        return self.evaluation.bootstrap.particles

    @property
    def n_showers(self) -> str:
        """Showers a side of each particle at equal numbers, such as ``4 v 4``."""
        return resampling.describe(self.evaluation.bootstrap.n_showers, self.particles)

    @property
    def scheme(self) -> str:
        """Read-out scheme of the channel sums."""
        return self.inputs.real.detector.scheme(self.evaluation.scheme).scheme

    @property
    def record(self) -> dict[str, Any]:
        """For JSON, format and version first."""
        real = self.inputs.real
        return {
            "format": FORMAT,
            "version": VERSION,
            "detector": real.detector.name,
            "unit": real.detector.unit,
            "scheme": self.scheme,
            "against": self.inputs.about["against"],
            "particles": self.particles,
            "rows": len(real),
            "numbers": self.n_showers,
            "seed": self.evaluation.seed,
            "resamplings": len(self.evaluation.bootstrap.weights) - 1,
            "measures": [metric.record for metric in self.metrics],
            "methods": {method.label: method.record for method in self.methods},
            "references": {one.label: one.record for one in self.references},
            "contrasts": {"measure": self.measure, "pairs": [c.record for c in self.contrasts]},
            "warnings": list(self.warnings),
        }


def compare_runs(
    groups: Mapping[str, list[Run]],
    against: str | Path,
    *,
    part: Part | None = None,
    scheme: str | None = None,
    seed: int = 0,
    reporter: Reporter = SILENT,
) -> Comparison:
    """Evaluate every run with the same real showers.

    Args:
        groups: Runs of each recipe, as ``runs_by_recipe`` finds them.
        against: Showers file of the real showers.
        part: Particles of that file; default: the test particles of the runs.
        scheme: Read-out scheme of the channel sums; default: that of the detector.
        seed: Of the evaluation and of the generated showers.
        reporter: What is told of the progress.

    Returns:
        Every number of every recipe and baseline, and the paired differences of the recipes.

    Raises:
        UsageError: runs that keep other particles for the test.
        DataError: showers that do not fit.
    """
    first: EvaluationInputs | None = None
    evaluation: PairedEvaluation | None = None
    replicates: dict[str, list[Replicates]] = {label: [] for label in groups}
    generated: dict[str, Showers] = {}
    with reporter.progress("evaluating", sum(map(len, groups.values())), "runs") as advance:
        for label, run in ((label, one) for label, group in groups.items() for one in group):
            inputs = load(run.path, against, part=part, seed=seed)
            if first is None or evaluation is None:
                first, evaluation = inputs, _evaluation(inputs, scheme, seed)
            _require_same_showers(run.path, inputs, first)
            replicates[label].append(evaluation.generated(inputs.generated))
            generated.setdefault(label, inputs.generated)
            advance(1, run.path)
    if first is None or evaluation is None:
        raise UsageError("name at least one run")
    methods = tuple(_method(label, groups, replicates[label]) for label in groups)
    return conclude(first, evaluation, methods, generated)


def _evaluation(inputs: EvaluationInputs, scheme: str | None, seed: int) -> PairedEvaluation:
    """Split halves and resamplings, as ``evaluate`` draws them."""
    names, index = resampling.index_particles(inputs.real.particle)
    n_showers = resampling.equal_n_showers(index, index, len(names))
    return PairedEvaluation.of(inputs.real, n_showers, inputs.train, scheme=scheme, seed=seed)


def _require_same_showers(path: str, inputs: EvaluationInputs, first: EvaluationInputs) -> None:
    """Raise where a run is evaluated with other showers than the first one."""
    if inputs.real.detector.fingerprint != first.real.detector.fingerprint:
        name = inputs.real.detector.name
        raise DataError(f"{path} is a simulator of {name}; the others are not")
    if not np.array_equal(inputs.real.particle, first.real.particle):
        raise UsageError(
            f"{path} keeps other particles for the test than {first.about['judged']}: "
            "compare runs of one split, or evaluate them with a file that none has seen"
        )


def conclude(
    inputs: EvaluationInputs,
    evaluation: PairedEvaluation,
    methods: tuple[Method, ...],
    generated: Mapping[str, Showers],
) -> Comparison:
    """References, contrasts and warnings for methods whose numbers are known."""
    references = tuple(
        Method(name, TITLES[name], _numbers([replicates]))
        for name, replicates in evaluation.references()
    )
    measure = "conditional_w1" if evaluation.bootstrap.repeated else "w1"
    return Comparison(
        inputs=inputs,
        evaluation=evaluation,
        methods=methods,
        references=references,
        contrasts=tuple(contrasts(methods, references, measure)),
        measure=measure,
        generated=generated,
        warnings=(*inputs.warnings, *remarks(methods)),
    )


def contrasts(
    methods: tuple[Method, ...], references: tuple[Method, ...], measure: str
) -> list[Contrast]:
    """Every pair of methods, the better one first, then every method and the baseline."""
    numbers = {m.label: m.numbers[measure] for m in (*methods, *references) if m.label != REAL}
    ranked = sorted((m.label for m in methods), key=lambda label: _value(numbers[label]))
    pairs = [*itertools.combinations(ranked, 2)]
    pairs += [(label, RIVAL) for label in ranked if RIVAL in numbers]
    return [contrast(a, b, numbers) for a, b in pairs]


def remarks(methods: tuple[Method, ...]) -> list[str]:
    """What a reader should know before trusting the numbers."""
    warnings = []
    if few := [m.label for m in methods if len(m.seeds) < FEW_SEEDS]:
        warnings.append(
            f"fewer than {FEW_SEEDS} seeds: {', '.join(few)}; one seed has no seed error"
        )
    seconds = [m.cpu_seconds for m in methods if m.cpu_seconds is not None]
    if seconds and max(seconds) > UNEQUAL_LENGTH * min(seconds):
        warnings.append(f"unequal training: {min(seconds):.0f} to {max(seconds):.0f} CPU s a run")
    if len(frozenset().union(*(m.training_showers for m in methods))) > 1:
        showers = "; ".join(
            f"{m.label} on {', '.join(' + '.join(files) for files in sorted(m.training_showers))}"
            for m in methods
        )
        warnings.append(f"trained on different showers: {showers}")
    return warnings


def _method(label: str, groups: Mapping[str, list[Run]], replicates: list[Replicates]) -> Method:
    group = groups[label]
    seconds = [run.cpu_seconds for run in group if run.cpu_seconds is not None]
    return Method(
        label,
        label,
        _numbers(replicates),
        tuple(one.seed for one in group),
        float(np.mean(seconds)) if len(seconds) == len(group) else None,
        differences(label, groups),
        frozenset(run.training_showers for run in group),
    )


def _numbers(replicates: list[Replicates]) -> dict[str, CombinedSeeds]:
    return {name: combine_seeds([one[name] for one in replicates]) for name in replicates[0]}


def _value(number: CombinedSeeds) -> float:
    value = number.measured.value
    return float("inf") if value is None else value


__all__ = [
    "CombinedSeeds",
    "Comparison",
    "Contrast",
    "Method",
    "Run",
    "combine_seeds",
    "compare_runs",
    "contrast",
    "runs_by_recipe",
]
