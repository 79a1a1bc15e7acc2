"""What a record of the neutron calorimeter says of generated showers.

Shapes: P test particles.
"""

from __future__ import annotations

import numpy as np

from caloforge.data.samples import sample_path
from caloforge.data.showers import Showers
from caloforge.recipe import Data
from validation.metrics import (
    EvaluationInputs,
    conditional_by_particle,
    lit_cells,
    rounded,
    spreads,
    table_of,
    test_part,
)
from validation.metrics import references as baselines
from validation.runner import Record

SHOWN = 3
"""Showers of each particle in the pictures."""
BRIGHT = 300.0
"""Least mean count of a particle in the pictures."""
GROUPS = ("consistent", "middle", "diverse")
GROUPED_FROM = 10.0
"""Least mean count of a particle that is in a group."""
SETTINGS = Data(training_files=("alice_zn/part-2",))


def evaluated(case: EvaluationInputs) -> Record:
    """What the test particles say, also one by one, and showers for the pictures."""
    return table_of(case) | {
        "by_particle": conditional_by_particle(case),
        "spreads": spreads(case.generated, half=1),
        "shown": shown_particles_of(case.real, case.generated),
    }


def references() -> Record:
    """Noise floor, baselines, real spreads and groups of the test particles."""
    data = sample_path("alice_zn")
    real, _ = test_part(data, SETTINGS)
    halves = [spreads(real, half=half) for half in (0, 1)]
    return baselines(data, SETTINGS) | {
        "groups": groups_of(halves[0]),
        "spreads": halves[1],
        "other_half": halves[0],
        "shown": shown_particles_of(real, real),
    }


def groups_of(spread: dict[str, list[float | None]]) -> list[str | None]:
    """Three groups of equal size by the spread of the total over the root of its mean.  (P,)

    So much more than a Poisson law: that of the total itself would order particles by brightness.
    None: fewer repeats than a spread needs, or too little light.
    """
    mean, total = (np.array(spread[name], dtype=np.float64) for name in ("mean", "total"))
    there = np.isfinite(total) & (mean >= GROUPED_FROM)
    relative = total[there] / np.sqrt(mean[there])
    edges = np.quantile(relative, (1 / 3, 2 / 3))
    labels: list[str | None] = [None] * len(mean)
    for place, value in zip(np.flatnonzero(there), relative, strict=True):
        labels[place] = GROUPS[int(np.searchsorted(edges, value))]
    return labels


def shown_particles(real: Showers) -> dict[str, int]:
    """The bright test particles of the least and the largest relative spread."""
    spread = spreads(real)
    mean, total = (np.array(spread[name], dtype=np.float64) for name in ("mean", "total"))
    relative = np.where(mean >= BRIGHT, total / np.where(mean > 0, mean, np.nan), np.nan)
    numbers = np.unique(real.particle)
    places = (int(np.nanargmin(relative)), int(np.nanargmax(relative)))
    return {
        name: int(numbers[place])
        for name, place in zip((GROUPS[0], GROUPS[2]), places, strict=True)
    }


def shown_particles_of(real: Showers, showers: Showers) -> Record:
    """Three showers of the consistent and of the diverse particle, with their channel sums."""
    record: Record = {}
    for name, particle in shown_particles(real).items():
        rows = np.flatnonzero(showers.particle == particle)[:SHOWN]
        sums = showers.detector.read_out(showers.cells[rows]).astype(np.float64)
        record[name] = {
            "particle": particle,
            "showers": lit_cells(showers, rows),
            "channels": [rounded(row, 0) for row in sums],
        }
    return record
