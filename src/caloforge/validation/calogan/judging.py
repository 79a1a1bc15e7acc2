"""What a run of a layered generator is asked, and the floors that its answers stand beside."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.evaluate import repeats
from caloforge.evaluate.case import Case, assemble
from caloforge.evaluate.distances import w1
from caloforge.evaluate.layered import calogan
from caloforge.evaluate.layered_checks import as_many, auc_of, layered_checks
from caloforge.evaluate.layout import layout_of
from caloforge.evaluate.measured import Measured, measured, resamplings
from caloforge.evaluate.observables import values_of
from caloforge.evaluate.schooling import DEFAULT
from caloforge.evaluate.separation import calogan_edges, counts_by_particle, weighted_separation
from caloforge.files import sha256_of
from caloforge.search.trial import finish
from caloforge.validation.calogan.plan import ABLATED, DETECTOR, TEST
from caloforge.validation.campaign.judging import JUDGE_SEED
from caloforge.validation.campaign.record import Record
from caloforge.validation.campaign.task import Task

RESAMPLINGS = 100
UNTRAINED = "untrained"


def judged(case: Case) -> Record:
    """Every check of the issue: observables, attributes, energy, classifiers, traversals."""
    kept = tuple(
        layered_checks(case.real, case.generated, case.train, schooling=DEFAULT, seed=JUDGE_SEED)
    )
    return {
        "test": {row.name: row.value.record for row in kept},
        "floor": {row.name: row.floor.record for row in kept},
        "titles": {row.name: row.title for row in kept},
        **observables(case.real, case.generated),
        "traversals": {one.attribute.name: one.slope.record for one in case.traversals(JUDGE_SEED)},
    }


def references(data: Path) -> Record:
    """Real against real for the 20 observables, and what an untrained generator looks like."""
    with tempfile.TemporaryDirectory() as folder:
        case = _untrained(data, Path(folder))
    assert case.train is not None
    other = as_many(case.train, len(case.real), JUDGE_SEED)
    return {
        "showers": len(case.real),
        **observables(case.real, other),
        UNTRAINED: auc_of(case.real, case.generated, DEFAULT, JUDGE_SEED).record,
    }


def _untrained(data: Path, folder: Path) -> Case:
    """A case of the published recipe after one step."""
    task = Task("final", UNTRAINED, ABLATED, 0.0, 0, settings=TEST)
    recipe = task.recipe(DETECTOR, 1)
    finish(recipe.to_json(), data, sha256_of(data), folder / UNTRAINED)
    return assemble(str(folder / UNTRAINED), data, seed=JUDGE_SEED)


def observables(real: Showers, other: Showers) -> Record:
    """Separation power in ten equal bins and W1 of the authors' 20, by name."""
    found: Record = {"separation": {}, "w1": {}}
    for name, power, distance in _observables(real, other):
        found["separation"][name] = power.record
        found["w1"][name] = distance.record
    return found


def _observables(real: Showers, other: Showers) -> Iterator[tuple[str, Measured, Measured]]:
    detector, layout = real.detector, layout_of(real.detector)
    rng = np.random.default_rng([JUDGE_SEED, 0x20])
    seen = [values_of(s.cells, calogan(detector), layout) for s in (real, other)]
    slots = [repeats.slots(s.particle)[1] for s in (real, other)]
    particles = max(int(slot.max()) + 1 for slot in slots)
    weights = resamplings(particles, RESAMPLINGS, rng)
    for one in calogan(detector):
        a, b = (values[one.name] for values in seen)
        edges = calogan_edges(a, b)
        counts = [
            counts_by_particle(v, s, particles, edges) for v, s in zip((a, b), slots, strict=True)
        ]
        power = measured(weighted_separation(counts[0], counts[1], weights))
        yield one.name, power, _distance(a, b, rng)


def _distance(a: NDArray[np.float64], b: NDArray[np.float64], rng: np.random.Generator) -> Measured:
    """W1 of the defined values, its error from resampled rows."""
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if not len(a) or not len(b):
        return Measured(None, None, "undefined")
    again = [w1(rng.choice(a, len(a)), rng.choice(b, len(b))) for _ in range(20)]
    return Measured(w1(a, b), float(np.std(again, ddof=1)))
