"""What a record of the layered calorimeter says of generated showers, and of real ones instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, stdev

import numpy as np

from caloforge.data.samples import sample_path
from caloforge.data.showers import Showers
from caloforge.evaluate import layered_checks, read_back
from caloforge.evaluate.metrics.energy import SHARE_BANDS
from caloforge.evaluate.metrics.layered import as_many
from caloforge.evaluate.metrics.metric import MetricResult
from caloforge.evaluate.resampling import Measured
from caloforge.recipe import Data
from validation import metrics
from validation.metrics import SEED, EvaluationInputs, table_of
from validation.runner import Record

SETTINGS = Data(test=0.2, training_files=("atlas_em/part-2",))
DRAWS = 12
"""Samples of real training showers that stand in the place of generated ones."""
TAIL = 0.05
"""Part of the showers of a band that are farthest from its mean."""
OF_ENERGY = ("share_", "band_")
"""What of the energies other real showers are asked for."""


def evaluated(case: EvaluationInputs) -> Record:
    """Every row of the evaluation, and the slopes at fixed latents."""
    traversals = {one.attribute.name: one.slope.record for one in case.traversals(seed=0)}
    return table_of(case) | {"traversals": traversals}


def references() -> Record:
    """Other real showers in the place of generated ones, as a run has it in ``two_sample``.

    Energies: mean over samples of training showers, with their deviation as error. R2 of an
    attribute: one half of the test showers over the other half.
    """
    real, train = metrics.test_part(sample_path("atlas_em"), SETTINGS)
    draws = [dict(energies_of_others(real, train, SEED + number)) for number in range(DRAWS)]
    record = {name: _over_draws([one[name] for one in draws]) for name in draws[0]}
    for one in read_back(train, real, real, seed=SEED):
        record[f"r2_ratio_{one.name}"] = {"value": one.floor.record}
    tails = tail_shares(real)
    return {"showers": len(real), "draws": DRAWS, "tails": tails, "two_sample": record}


def tail_shares(real: Showers) -> list[float]:
    """Part of the variance of total / E that the farthest showers make, in each band of energy."""
    energy = real.conditions[:, real.detector.column("E")]
    edges = np.quantile(energy, np.linspace(0, 1, SHARE_BANDS + 1))
    shares = []
    for low, high in pairwise(edges):
        inside = (energy >= low) & (energy <= high)
        response = real.total()[inside] / energy[inside]
        squares = np.sort((response - response.mean()) ** 2)
        shares.append(float(squares[-max(1, round(TAIL * len(squares))) :].sum() / squares.sum()))
    return [round(share, 3) for share in shares]


def energies_of_others(
    real: Showers, train: Showers, seed: int
) -> Iterator[tuple[str, MetricResult]]:
    """Shares and bands of as many training showers."""
    other = replace(as_many(train, len(real), seed), particle=real.particle)
    for result in layered_checks(real, other, None, config=None, seed=seed):
        if result.name.startswith(OF_ENERGY):
            yield result.name, result


def _over_draws(results: Sequence[MetricResult]) -> Record:
    values = [float(one.value.value or 0) for one in results]
    record = {"value": Measured(fmean(values), stdev(values)).record}
    real = results[0].floor
    return record if real.value is None else {**record, "floor": real.record}
