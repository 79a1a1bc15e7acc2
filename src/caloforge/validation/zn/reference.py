"""What no network is needed for, on the same test particles: floor, baselines, empty showers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from caloforge.data.showers import read
from caloforge.data.split import split_by_particle
from caloforge.evaluate.baselines import BASELINES, as_showers
from caloforge.evaluate.case import Case
from caloforge.evaluate.judgement import REAL
from caloforge.recipes import recipe_of_name
from caloforge.validation.zn.plan import DETECTOR
from caloforge.validation.zn.run import JUDGE_SEED, by_particle, numbers_of

NEAREST, EMPTY = "nearest", "empty"


def references(data: Path) -> dict[str, Any]:
    """Numbers of every reference by name, of the nearest particle for each test particle, too."""
    settings = recipe_of_name("dcgan", DETECTOR).data
    showers = read(data)
    fractions = (1 - settings.validation - settings.test, settings.validation, settings.test)
    split = split_by_particle(showers.particle, fractions, seed=settings.split_seed)
    real, train = showers.of_particles(split.test), showers.of_particles(split.train)
    nothing = dataclasses.replace(real, cells=np.zeros_like(real.cells))
    judgement = Case(real, nothing, train, {}).judge(seed=JUDGE_SEED)
    found: dict[str, dict[str, Any]] = {
        name: {"title": title, "test": numbers_of(judgement, name)}
        for name, title in [
            (REAL, "floor: real against real"),
            *((baseline.name, baseline.title) for baseline in BASELINES),
        ]
    }
    found[EMPTY] = {"title": "empty showers", "test": numbers_of(judgement, "model")}
    nearest = next(baseline for baseline in BASELINES if baseline.name == NEAREST)
    made = as_showers(real, nearest.of(real, train, np.random.default_rng([JUDGE_SEED, 0])))
    found[NEAREST]["by_particle"] = by_particle(Case(real, made, train, {}))
    return {"particles": judgement.particles, "numbers": judgement.numbers, "references": found}
