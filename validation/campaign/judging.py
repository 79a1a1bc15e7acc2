"""What records keep of a judgement, and what no network is needed for on the same particles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caloforge.data.showers import Showers, read
from caloforge.data.split import split_by_particle
from caloforge.evaluate import resampling
from caloforge.evaluate.baselines import BASELINES, MODEL, REAL, as_showers
from caloforge.evaluate.inputs import EvaluationInputs
from caloforge.evaluate.metrics.wasserstein import conditional_w1
from caloforge.evaluate.observables import observe
from caloforge.evaluate.paired import PairedBootstrap, paired_metrics
from caloforge.evaluate.result import EvaluationResult
from caloforge.recipe import Data
from validation.campaign.record import Record

JUDGE_SEED = 0
NEAREST, EMPTY = "nearest", "empty"


def numbers_of(judgement: EvaluationResult, names: Sequence[str], candidate: str = MODEL) -> Record:
    """The measures that are kept, as value and error."""
    return {name: judgement.measured(name, candidate).record for name in names}


def by_particle(case: EvaluationInputs) -> list[float]:
    """Conditional W1 of each test particle, mean over channels; all runs meet the same halves."""
    detector = case.real.detector
    found = conditional_w1(
        detector.read_out(case.real.cells),
        detector.read_out(case.generated.cells),
        case.real.particle,
        case.generated.particle,
        rng=np.random.default_rng(JUDGE_SEED),
    )
    return [round(value, 3) for value in found.values.mean(axis=1).tolist()]


def each_particle(case: EvaluationInputs, name: str) -> list[float | None]:
    """A measure that averages over particles, of each of them; None where it is undefined."""
    real, made = case.real, case.generated
    names, slot, other = resampling.index_shared_particles(real.particle, made.particle)
    numbers = resampling.equal_n_showers(slot, other, len(names))
    metrics = paired_metrics(real.detector)
    key = next(metric.key for metric in metrics if metric.name == name)
    metrics = tuple(metric for metric in metrics if metric.key == key)
    rng = np.random.default_rng(JUDGE_SEED)
    bootstrap = PairedBootstrap.of(observe(real), slot, numbers, metrics, 0, rng)
    bootstrap = dataclasses.replace(bootstrap, weights=np.eye(len(names)))
    found = bootstrap.evaluate(observe(made), other, rng)[name]
    return [round(float(value), 3) if np.isfinite(value) else None for value in found]


def divided(data: Path, settings: Data) -> tuple[Showers, Showers]:
    """Showers of the test and of the training particles, as runs with these settings divide."""
    showers = read(data)
    fractions = (1 - settings.validation - settings.test, settings.validation, settings.test)
    split = split_by_particle(showers.particle, fractions, seed=settings.split_seed)
    return showers.of_particles(split.test), showers.of_particles(split.train)


def empty_case(real: Showers, train: Showers) -> EvaluationInputs:
    """Showers without light in the place of generated ones: what has learned nothing yet."""
    return EvaluationInputs(
        real, dataclasses.replace(real, cells=np.zeros_like(real.cells), overflow=None), train, {}
    )


def baseline_case(name: str, real: Showers, train: Showers) -> EvaluationInputs:
    """Showers of a baseline in the place of generated ones."""
    number = [baseline.name for baseline in BASELINES].index(name)
    cells = BASELINES[number].of(real, train, np.random.default_rng([JUDGE_SEED, number]))
    return EvaluationInputs(real, as_showers(real, cells), train, {})


def references(data: Path, settings: Data, names: Sequence[str]) -> Record:
    """Numbers of every reference by name, of the nearest particle for each test particle, too."""
    real, train = divided(data, settings)
    judgement = empty_case(real, train).evaluate(seed=JUDGE_SEED)
    found: dict[str, dict[str, Any]] = {
        name: {"title": title, "test": numbers_of(judgement, names, name)}
        for name, title in [
            (REAL, "floor: real against real"),
            *((baseline.name, baseline.title) for baseline in BASELINES),
        ]
    }
    found[EMPTY] = {"title": "empty showers", "test": numbers_of(judgement, names)}
    found[NEAREST]["by_particle"] = by_particle(baseline_case(NEAREST, real, train))
    return {"particles": judgement.particles, "numbers": judgement.n_showers, "references": found}
