"""What records keep of a judgement, and what no network is needed for on the same particles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caloforge.data.showers import Showers, read
from caloforge.data.split import split_by_particle
from caloforge.evaluate import repeats
from caloforge.evaluate.baselines import BASELINES, as_showers
from caloforge.evaluate.case import Case
from caloforge.evaluate.conditional import conditional_w1
from caloforge.evaluate.court import convene
from caloforge.evaluate.judgement import MODEL, REAL, Judgement
from caloforge.evaluate.measures import measures
from caloforge.evaluate.observables import observe
from caloforge.recipe import Data
from validation.campaign.record import Record

JUDGE_SEED = 0
NEAREST, EMPTY = "nearest", "empty"


def numbers_of(judgement: Judgement, names: Sequence[str], candidate: str = MODEL) -> Record:
    """The measures that are kept, as value and error."""
    return {name: judgement.measured(name, candidate).record for name in names}


def by_particle(case: Case) -> list[float]:
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


def each_particle(case: Case, name: str) -> list[float | None]:
    """A measure that averages over particles, of each of them; None where it is undefined."""
    real, made = case.real, case.generated
    names, slot, other = repeats.shared_slots(real.particle, made.particle)
    numbers = repeats.equal_numbers(slot, other, len(names))
    table = measures(real.detector, real.detector.scheme(None))
    wanted = tuple(m for m in table if name in {row.name for row in m.rows})
    rng = np.random.default_rng(JUDGE_SEED)
    court = convene(observe(real), slot, numbers, wanted, 0, rng)
    court = dataclasses.replace(court, weights=np.eye(len(names)))
    found = court.hear(observe(made), other, rng)[name]
    return [round(float(value), 3) if np.isfinite(value) else None for value in found]


def divided(data: Path, settings: Data) -> tuple[Showers, Showers]:
    """Showers of the test and of the training particles, as runs with these settings divide."""
    showers = read(data)
    fractions = (1 - settings.validation - settings.test, settings.validation, settings.test)
    split = split_by_particle(showers.particle, fractions, seed=settings.split_seed)
    return showers.of_particles(split.test), showers.of_particles(split.train)


def empty_case(real: Showers, train: Showers) -> Case:
    """Showers without light in the place of generated ones: what has learned nothing yet."""
    return Case(
        real, dataclasses.replace(real, cells=np.zeros_like(real.cells), overflow=None), train, {}
    )


def baseline_case(name: str, real: Showers, train: Showers) -> Case:
    """Showers of a baseline in the place of generated ones."""
    number = [baseline.name for baseline in BASELINES].index(name)
    cells = BASELINES[number].of(real, train, np.random.default_rng([JUDGE_SEED, number]))
    return Case(real, as_showers(real, cells), train, {})


def references(data: Path, settings: Data, names: Sequence[str]) -> Record:
    """Numbers of every reference by name, of the nearest particle for each test particle, too."""
    real, train = divided(data, settings)
    judgement = empty_case(real, train).judge(seed=JUDGE_SEED)
    found: dict[str, dict[str, Any]] = {
        name: {"title": title, "test": numbers_of(judgement, names, name)}
        for name, title in [
            (REAL, "floor: real against real"),
            *((baseline.name, baseline.title) for baseline in BASELINES),
        ]
    }
    found[EMPTY] = {"title": "empty showers", "test": numbers_of(judgement, names)}
    found[NEAREST]["by_particle"] = by_particle(baseline_case(NEAREST, real, train))
    return {"particles": judgement.particles, "numbers": judgement.numbers, "references": found}
