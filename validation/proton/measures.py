"""What a record of the proton calorimeter says of generated showers, and of the references.

Shapes: N rows, c channels, P particles with repeats.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.samples import sample_path
from caloforge.data.showers import Showers
from caloforge.evaluate import w1_channels
from caloforge.recipe import Data
from validation import metrics
from validation.metrics import NEAREST, REAL, SEED, EvaluationInputs, rounded
from validation.runner import Record

Values = NDArray[np.float64]
SCHEMES = ("paper-zp", "o2")
CUTS = (1, 5, 18)
"""Least photon sums of showers, as the public files are filtered."""
TAILS = {"tower4": "channel 4", "common": "channel 5"}
"""Channels of the paper's Fig. 3."""
QUANTILES = (0.95, 0.99)
BASELINES = (NEAREST, "replayed", "shuffled")
"""References whose particles are compared one by one."""
HALVINGS = 20
SHOWN = 5
"""Showers of Fig. 2."""
SETTINGS = Data(test=0.2, training_files=("alice_zp/part-2",))


def evaluated(case: EvaluationInputs) -> Record:
    """All that the page says of a run."""
    second = metrics.evaluated(case, SCHEMES[1])
    floor = metrics.evaluated(case).candidates
    return metrics.table_of(case) | {
        "o2": {row.name: second.measured(row.name).record for row in second.metrics},
        "floor": {
            name: number.record
            for one in floor
            if one.name == REAL
            for name, number in one.measured.items()
        },
        "by_particle": metrics.conditional_by_particle(case),
        "centre_by_particle": metrics.centre_error_by_particle(case),
        "published": {scheme: at_cuts(case.real, case.generated, scheme) for scheme in SCHEMES},
        "tails": tails(case.real, case.generated),
        "sums": shown_sums(case.generated),
        "showers": shown_showers(case.generated),
    }


def references() -> Record:
    """The same of what needs no network, on the test particles of all runs split by particle."""
    data = sample_path("alice_zp")
    real, train = metrics.test_part(data, SETTINGS)
    record = metrics.references(data, SETTINGS, SCHEMES)
    for name in BASELINES:
        case = metrics.baseline_case(name, real, train)
        record["references"][name] |= {
            "centre_by_particle": metrics.centre_error_by_particle(case),
            "published": {s: at_cuts(case.real, case.generated, s) for s in SCHEMES},
        }
    floors = {scheme: floor_at_cuts(real, scheme) for scheme in SCHEMES}
    record["references"][REAL]["published"] = floors
    places = np.unique(real.particle, return_inverse=True)[1]
    figures = {"sums": shown_sums(real), "showers": shown_showers(real)}
    return record | {"real": {"place": places.tolist(), **figures}}


def at_cuts(real: Showers, generated: Showers, scheme: str) -> Record:
    """W1 of each channel among showers of so many photons, on both sides alike, by the cut.

    A perfect simulator reaches the floor at any cut, which it would not if only real showers were
    cut. ``passing``: parts of the showers, real and generated.
    """
    return {str(cut): _at_cut(real, generated, scheme, cut) for cut in CUTS}


def _at_cut(real: Showers, generated: Showers, scheme: str, cut: int) -> Record:
    sides = [showers.rows(showers.total() >= cut) for showers in (real, generated)]
    passing = [len(side) / len(whole) for side, whole in zip(sides, (real, generated), strict=True)]
    distances = None
    if min(map(len, sides)):
        distances = rounded(w1_channels(*(channels_of(side, scheme) for side in sides)))
    return {"w1": distances, "passing": rounded(np.array(passing))}


def floor_at_cuts(real: Showers, scheme: str) -> Record:
    """The same of random halves of the showers of each particle, averaged over halvings."""
    rng = np.random.default_rng(SEED)
    at_each = [at_cuts(*halves(real, rng), scheme) for _ in range(HALVINGS)]
    return {
        cut: {
            "w1": rounded(np.mean([one[cut]["w1"] for one in at_each], axis=0)),
            "passing": at_each[0][cut]["passing"],
        }
        for cut in at_each[0]
    }


def halves(real: Showers, rng: np.random.Generator) -> tuple[Showers, Showers]:
    """Half of the showers of each particle, and the other half."""
    order = rng.permutation(len(real))
    order = order[np.argsort(real.particle[order], kind="stable")]
    starts = np.flatnonzero(np.diff(real.particle[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    rank = np.arange(len(order)) - np.repeat(starts, counts)
    half = np.repeat(counts // 2, counts)
    return real.rows(order[rank < half]), real.rows(order[(rank >= half) & (rank < 2 * half)])


def tails(real: Showers, generated: Showers) -> Record:
    """Generated over real numbers of showers above real quantiles, and parts of dark channels."""
    record: Record = {}
    for label in TAILS:
        truth, light = (_sums(showers, label) for showers in (real, generated))
        limits = np.quantile(truth, QUANTILES)
        above = [float((light > limit).mean() / (truth > limit).mean()) for limit in limits]
        dark = [float((sums == 0).mean()) for sums in (truth, light)]
        record[label] = {"above": rounded(np.array(above)), "empty": rounded(np.array(dark))}
    return record


def shown_sums(showers: Showers) -> Record:
    """Sums of the channels of Fig. 3, one a shower."""
    return {label: np.round(_sums(showers, label)).astype(int).tolist() for label in TAILS}


def shown_showers(showers: Showers) -> list[Record]:
    """Lit cells of some showers, of particles evenly spaced among all, for Fig. 2."""
    _, first = np.unique(showers.particle, return_index=True)
    rows = first[np.linspace(0, len(first) - 1, SHOWN).round().astype(int)]
    return metrics.lit_cells(showers, rows)


def _sums(showers: Showers, label: str) -> Values:
    scheme = showers.detector.scheme(SCHEMES[0])
    sums: Values = channels_of(showers, SCHEMES[0])[:, scheme.labels.index(label)]
    return sums


def channels_of(showers: Showers, scheme: str) -> Values:
    """Sums of the channels in a scheme.  (N, c)"""
    sums: Any = showers.detector.read_out(showers.cells, scheme)
    return np.asarray(sums, dtype=np.float64)
