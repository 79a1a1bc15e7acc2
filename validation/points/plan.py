"""What is trained on the points: trials of weights, final runs, other readings; two regimes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name
from caloforge.recipes.points import REGIMES, in_regime
from validation.plans import TRIAL_SEED
from validation.points.measures import figures, least, score
from validation.points.sample import CLUSTERS, checksum, sample_of
from validation.points.training import LearningCurve, generate, train
from validation.runner import Record, Records
from validation.training_runs import hardware, is_of


@dataclass(frozen=True)
class Method:
    """A recipe, the term whose weight is chosen, and the weights that are tried."""

    term: str | None = None
    weights: tuple[float, ...] = ()


METHODS = {
    "dcgan": Method(),
    "ms-gan": Method("ModeSeeking", (0.001, 0.003, 0.01, 0.03)),
    "ds-gan": Method("DiversitySensitive", (1, 3, 10, 30)),
    "divco": Method("LatentContrast", (0.1, 0.3, 1, 3)),
    "sdi-gan": Method("SelectiveDiversity", (0.003, 0.01, 0.03, 0.1)),
    "divbal-gan": Method("BalancedDiversity", (0.03, 0.1, 0.3, 1)),
    "calibrated": Method("LogRatio", (0.1, 0.3, 1, 3)),
}


class Reading(NamedTuple):
    """Another reading of a paper's term, or a part of a recipe."""

    method: str
    settings: tuple[str, ...]
    weights: tuple[float, ...] = ()
    """Weights of its own trials; without them it takes the weight of the method."""


READINGS = {
    "ms-gan, per pair": Reading(
        "ms-gan",
        ("objective.ModeSeeking.average=pair",),
        (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03),
    ),
    "sdi-gan, per pair": Reading(
        "sdi-gan",
        ("objective.SelectiveDiversity.average=pair",),
        (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
    ),
    "divbal-gan, per pair": Reading(
        "divbal-gan",
        ("objective.BalancedDiversity.average=pair",),
        (0.003, 0.01, 0.03, 0.1, 0.3, 1),
    ),
    "divbal-gan, through tanh": Reading(
        "divbal-gan", ("objective.BalancedDiversity.balance=literal",)
    ),
    "calibrated without the score": Reading("calibrated", ("objective.EnergyScore.weight=0",)),
    "calibrated without the log-ratio": Reading("calibrated", ("objective.LogRatio.weight=0",)),
    "calibrated, the score alone": Reading(
        "calibrated", ("objective.NonSaturating.weight=0", "objective.LogRatio.weight=0")
    ),
}
FRAGILE = "fragile"
LABELS = ("part", "regime", "label", "method", "weight", "seed")
STEPS, LONG_STEPS, QUICK_STEPS = 5000, 20_000, 300
SEEDS, LONG_SEEDS, TRIAL_SEEDS = 5, 2, 2
EVALUATED = {
    "trial": ("validation",),
    "final": ("test", "large"),
    "long": ("test", "large"),
    "reading": ("test", "large"),
}
"""Draws that a run is compared with."""
KEPT = 100
"""Generated points of each cluster that the record of a first seed keeps for the pictures."""


@dataclass(frozen=True)
class PointsRun:
    """One training run on the points; its last generator is compared."""

    part: str
    regime: str
    label: str
    """The method, or the reading of it."""
    method: str
    seed: int
    steps: int = STEPS
    weight: float | None = None
    settings: tuple[str, ...] = ()
    pictured: bool = False
    """True where the record keeps points for the pictures."""

    @property
    def name(self) -> str:
        """File name of the record, without suffix."""
        label = self.label.replace(",", "").replace(" ", "-")
        weight = "" if self.weight is None else f"-weight{self.weight:g}"
        return f"{self.regime}-{self.part}-{label}{weight}-seed{self.seed}"

    def recipe(self) -> Recipe:
        """The recipe that is trained."""
        term = METHODS[self.method].term
        settings = [f"training.steps={self.steps}", f"seed={self.seed}"]
        if self.weight is not None:
            settings.append(f"objective.{term}.weight={self.weight}")
        recipe = in_regime(recipe_of_name(self.method, "points"), self.regime)
        return override(recipe, settings + list(self.settings))

    def is_record_of(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of this recipe, with a learning curve unless the run chooses."""
        is_complete = self.part == "trial" or "learning_curve" in record
        return is_complete and is_of(record, self.recipe())

    def execute(self, folder: Path) -> Record:
        """Train and compare; NonFinite is an error of this run alone."""
        import torch

        from caloforge.training.folder import commit

        del folder  # half a minute: nothing is kept of an unfinished run
        recipe = self.recipe()
        curve = LearningCurve(recipe)
        generator = train(recipe, None if self.part == "trial" else curve)
        seconds = curve.training_seconds
        samples = {
            name: generate(generator, sample_of(name), recipe) for name in EVALUATED[self.part]
        }
        results = {name: figures(sample_of(name).cells, cells) for name, cells in samples.items()}
        record: Record = {
            "format": "caloforge-validation-run",
            "version": 1,
            "claim": "points",
            **{
                n: getattr(self, n) for n in ("part", "regime", "label", "method", "weight", "seed")
            },
            "figures": {
                name: {figure: round(value, 4) for figure, value in one.items()}
                for name, one in results.items()
            },
            "commit": commit(),
            "hardware": hardware("cpu"),
            "torch": torch.__version__,
            "data": {name: checksum(sample_of(name)) for name in ("train", *samples)},
            "recipe": json.loads(recipe.to_json()),
            "cpu_seconds": round(seconds, 2),
        }
        if curve.points:
            record |= curve.record
        if self.pictured:
            cells = samples["test"].reshape(CLUSTERS, -1, 2)[:, :KEPT]
            record["points"] = cells.astype(np.float64).round(1).tolist()
        return record


def plan(quick: bool, seed: int, records: Records) -> Iterator[PointsRun]:
    """All runs that the records let one know: trials choose weights, final runs take them."""
    for regime in REGIMES:
        for method in METHODS:
            if quick:
                yield final(regime, method, seed, 0, usual_weight(method), QUICK_STEPS)
                continue
            scan = list(trials(regime, method, seed))
            yield from scan
            if are_made(scan, records):
                weight = best_weight(scan, records)
                for number in range(SEEDS):
                    yield final(regime, method, seed, number, weight)
                for number in range(LONG_SEEDS):
                    run = final(regime, method, seed, number, weight, LONG_STEPS)
                    yield replace(run, part="long", pictured=False)
                if regime == FRAGILE:
                    yield from readings(method, seed, weight, records)


def trials(regime: str, method: str, seed: int, label: str = "") -> Iterator[PointsRun]:
    """Every weight of a method, or of the reading of a label, on seeds that no final run shares."""
    settings = READINGS[label].settings if label else ()
    for weight in weights_tried(label or method):
        for number in range(TRIAL_SEEDS):
            trial_seed = TRIAL_SEED + seed + number
            run = PointsRun("trial", regime, label or method, method, trial_seed, weight=weight)
            yield replace(run, settings=settings)


def weights_tried(label: str) -> tuple[float, ...]:
    """Weights of the trials of a method or of a reading."""
    return READINGS[label].weights if label in READINGS else METHODS[label].weights


def are_made(scan: list[PointsRun], records: Records) -> bool:
    """Whether all trials that choose a weight have a record."""
    return all(run.name in records for run in scan)


def best_weight(scan: list[PointsRun], records: Records) -> float | None:
    """The weight of the lowest mean score on validation points; None without one to choose."""
    scores: dict[float | None, list[float]] = {}
    for run in scan:
        value = score(records[run.name]["figures"]["validation"], least())
        scores.setdefault(run.weight, []).append(value)
    return min(scores, key=lambda weight: fmean(scores[weight]), default=None)


def final(
    regime: str, method: str, seed: int, number: int, weight: float | None, steps: int = STEPS
) -> PointsRun:
    """A final run; the first seed keeps points for the pictures."""
    return PointsRun(
        "final", regime, method, method, seed + number, steps, weight, pictured=number == 0
    )


def readings(method: str, seed: int, weight: float | None, records: Records) -> Iterator[PointsRun]:
    """The other readings of a method in the fragile regime, at its weight or at their own."""
    for label, reading in READINGS.items():
        if reading.method != method:
            continue
        scan = list(trials(FRAGILE, method, seed, label)) if reading.weights else []
        yield from scan
        if not are_made(scan, records):
            continue
        own = best_weight(scan, records) if scan else weight
        for number in range(SEEDS):
            run = PointsRun("reading", FRAGILE, label, method, seed + number, weight=own)
            yield replace(run, settings=reading.settings)


def usual_weight(method: str) -> float | None:
    """The weight of the recipe, for a study without trials."""
    terms = recipe_of_name(method, "points").objective.terms
    weights = {type(term).__name__: weight for weight, term in terms}
    return weights.get(METHODS[method].term or "")
