"""What a run of a layered generator is asked, and the floors that its answers stand beside."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.evaluate import resampling
from caloforge.evaluate.inputs import EvaluationInputs, load
from caloforge.evaluate.metrics.energy import bands, sums_of
from caloforge.evaluate.metrics.layered import as_many, auc_of, layered_checks
from caloforge.evaluate.metrics.networks import DEFAULT
from caloforge.evaluate.metrics.two_sample import (
    calogan_edges,
    counts_by_particle,
    weighted_separation,
)
from caloforge.evaluate.metrics.wasserstein import weighted_w1
from caloforge.evaluate.observables import calogan, layout_of, values_of
from caloforge.evaluate.resampling import measured, resamplings
from caloforge.io.files import sha256_of
from caloforge.search.trial import finish
from validation.calogan.plan import ABLATED, DETECTOR, TEST
from validation.campaign.judging import JUDGE_SEED
from validation.campaign.record import Record
from validation.campaign.task import Task

Values = NDArray[np.float64]
RESAMPLINGS = 100
UNTRAINED, MEAN_SEPARATION = "untrained", "mean_separation"


def judged(case: EvaluationInputs) -> Record:
    """Every check of the issue: observables, attributes, energy, classifiers, traversals."""
    kept = tuple(
        layered_checks(case.real, case.generated, case.train, config=DEFAULT, seed=JUDGE_SEED)
    )
    return {
        "test": {row.name: row.value.record for row in kept},
        "floor": {row.name: row.floor.record for row in kept},
        "titles": {row.name: row.title for row in kept},
        **observables(case.real, case.generated),
        "traversals": {one.attribute.name: one.slope.record for one in case.traversals(JUDGE_SEED)},
    }


def references(data: Path) -> Record:
    """Real against real for observables and bands, and what an untrained generator looks like."""
    with tempfile.TemporaryDirectory() as folder:
        case = _untrained(data, Path(folder))
    assert case.train is not None
    other = as_many(case.train, len(case.real), JUDGE_SEED)
    return {
        "showers": len(case.real),
        **observables(case.real, other),
        "bands": real_bands(case.real, other),
        UNTRAINED: auc_of(case.real, case.generated, DEFAULT, JUDGE_SEED).record,
    }


def real_bands(real: Showers, other: Showers) -> Record:
    """Numbers of the bands of energy of other real showers, by the names that runs give them.

    Their particles are other ones, and so are their energies within a band.
    """
    real = real.rows(np.arange(len(other)))
    # Pairs of showers that have nothing to do with each other may be drawn together.
    other = dataclasses.replace(other, particle=real.particle)
    sums = sums_of(real, other, np.random.default_rng([JUDGE_SEED, 0xBA]))
    return {
        f"band_{name}_{number}": value.record
        for number, band in enumerate(bands(sums))
        for name, value in (
            ("mean", band.mean),
            ("sigma", band.relative_sigma),
            ("resolution", band.resolution),
        )
    }


def _untrained(data: Path, folder: Path) -> EvaluationInputs:
    """A case of the published recipe after one step."""
    task = Task("final", UNTRAINED, ABLATED, 0.0, 0, settings=TEST)
    recipe = task.recipe(DETECTOR, 1)
    finish(recipe.to_json(), data, sha256_of(data), folder / UNTRAINED)
    return load(str(folder / UNTRAINED), data, seed=JUDGE_SEED)


def observables(real: Showers, other: Showers) -> Record:
    """Separation power in ten equal bins and W1 of the authors' 20, by name; mean separation."""
    powers, distances = _observables(real, other)
    names = [one.name for one in calogan(real.detector)]
    mean = np.nan_to_num(powers, nan=1.0).mean(axis=0)
    return {
        "separation": {n: measured(p).record for n, p in zip(names, powers, strict=True)},
        "w1": {n: measured(d).record for n, d in zip(names, distances, strict=True)},
        MEAN_SEPARATION: measured(mean).record,
    }


def _observables(real: Showers, other: Showers) -> tuple[Values, Values]:
    """Separation power and W1 of each observable under the same resamplings.  2 x (o, 1 + B)

    A particle is drawn with its showers of both sides: what it does to both is no difference.
    """
    detector, layout = real.detector, layout_of(real.detector)
    seen = [values_of(s.cells, calogan(detector), layout) for s in (real, other)]
    slots = [resampling.index_particles(s.particle)[1] for s in (real, other)]
    particles = max(int(slot.max()) + 1 for slot in slots)
    weights = resamplings(particles, RESAMPLINGS, np.random.default_rng([JUDGE_SEED, 0x20]))
    powers, distances = [], []
    for one in calogan(detector):
        both = [values[one.name] for values in seen]
        edges = calogan_edges(*both)
        counts = [
            counts_by_particle(v, s, particles, edges) for v, s in zip(both, slots, strict=True)
        ]
        powers.append(weighted_separation(counts[0], counts[1], weights))
        there = [np.isfinite(values) for values in both]
        distances.append(
            weighted_w1(
                *(v[t] for v, t in zip(both, there, strict=True)),
                *(weights[:, s[t]] for s, t in zip(slots, there, strict=True)),
            )
        )
    return np.stack(powers), np.stack(distances)
