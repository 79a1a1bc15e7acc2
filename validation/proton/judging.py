"""What a record of the proton campaign says of generated showers, and of the references.

Shapes: N rows, c channels, P particles with repeats.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.evaluate.baselines import MODEL, REAL
from caloforge.evaluate.engine import evaluate
from caloforge.evaluate.inputs import EvaluationInputs
from caloforge.evaluate.metrics.wasserstein import w1_channels
from caloforge.evaluate.resampling import equal_n_showers, halve, index_particles
from caloforge.evaluate.result import EvaluationResult
from caloforge.recipe import override
from caloforge.recipes import recipe_of_name
from validation.campaign import judging
from validation.campaign.judging import JUDGE_SEED
from validation.campaign.record import Record
from validation.proton.plan import DETECTOR, PLAIN, TEST

Values = NDArray[np.float64]
SCHEMES = ("paper-zp", "o2")
CUTS = (1, 5, 18)
"""Least photon sums of showers, as the public files are filtered."""
TAILS = {"tower4": "channel 4", "common": "channel 5"}
"""Channels of the paper's Fig. 3."""
QUANTILES = (0.95, 0.99)
BASELINES = ("nearest", "replayed", "shuffled")
"""References whose particles are compared one by one."""
HALVINGS = 20
SHOWN = 5
"""Showers of Fig. 2."""
CENTRE = "centre_error"
MEASURES = (
    "w1_all",
    "w1",
    "conditional_w1",
    CENTRE,
    "sigma_total",
    "sigma_centre",
    "spread_slope",
    "mean_total",
    "empty",
)
TITLES = {REAL: "floor: real against real", judging.EMPTY: "empty showers"}
OF_SCHEME = ("w1_all", "w1", "conditional_w1")
"""Measures that depend on the scheme."""


def judged(case: EvaluationInputs) -> Record:
    """All that the page says of a run."""
    first, second = (judgement_of(case, scheme) for scheme in SCHEMES)
    return {
        "test": judging.numbers_of(first, MEASURES),
        "o2": judging.numbers_of(second, OF_SCHEME),
        "floor": judging.numbers_of(first, MEASURES, REAL),
        "by_particle": judging.by_particle(case),
        "centre_by_particle": judging.each_particle(case, CENTRE),
        "published": {scheme: at_cuts(case.real, case.generated, scheme) for scheme in SCHEMES},
        "tails": tails(case.real, case.generated),
        "sums": shown_sums(case.generated),
        "showers": shown_showers(case.generated),
    }


def references(data: Path) -> Record:
    """The same of what needs no network, on the test particles of all runs split by particle."""
    settings = override(recipe_of_name(PLAIN, DETECTOR), [TEST]).data
    real, train = judging.divided(data, settings)
    nothing = judging.empty_case(real, train)
    first, second = (judgement_of(nothing, scheme) for scheme in SCHEMES)
    cases = {name: judging.baseline_case(name, real, train) for name in BASELINES}
    found: dict[str, Record] = {}
    for candidate in first.candidates:
        name = judging.EMPTY if candidate.name == MODEL else candidate.name
        found[name] = {
            "title": TITLES.get(name, candidate.title),
            "test": judging.numbers_of(first, MEASURES, candidate.name),
            "o2": judging.numbers_of(second, OF_SCHEME, candidate.name),
        }
    for name, case in cases.items():
        found[name] |= {
            "by_particle": judging.by_particle(case),
            "centre_by_particle": judging.each_particle(case, CENTRE),
            "published": {s: at_cuts(case.real, case.generated, s) for s in SCHEMES},
        }
    found[REAL]["published"] = {scheme: floor_at_cuts(real, scheme) for scheme in SCHEMES}
    return {
        "particles": first.particles,
        "numbers": first.n_showers,
        "references": found,
        "real": {
            "slot": index_particles(real.particle)[1].tolist(),
            "sums": shown_sums(real),
            "showers": shown_showers(real),
        },
    }


def judgement_of(case: EvaluationInputs, scheme: str) -> EvaluationResult:
    """The table of a case in a scheme, without what an examination adds."""
    return evaluate(case.real, case.generated, case.train, scheme=scheme, seed=JUDGE_SEED)


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
        first, second = (_channels(side, scheme) for side in sides)
        distances = _rounded(w1_channels(first, second))
    return {"w1": distances, "passing": [round(part, 4) for part in passing]}


def floor_at_cuts(real: Showers, scheme: str) -> Record:
    """The same of random halves of the showers of each particle, averaged over halvings."""
    rng = np.random.default_rng(JUDGE_SEED)
    names, slot = index_particles(real.particle)
    numbers = equal_n_showers(slot, slot, len(names))
    halves = [halve(slot, numbers, rng) for _ in range(HALVINGS)]
    found = [at_cuts(real.rows(two.first), real.rows(two.second), scheme) for two in halves]
    return {
        cut: {
            "w1": _rounded(np.mean([one[cut]["w1"] for one in found], axis=0)),
            "passing": found[0][cut]["passing"],
        }
        for cut in found[0]
    }


def tails(real: Showers, generated: Showers) -> Record:
    """Generated over real numbers of showers above real quantiles, and parts of dark channels."""
    found: Record = {}
    for label in TAILS:
        truth, made = (_sums(showers, label) for showers in (real, generated))
        limits = np.quantile(truth, QUANTILES)
        above = [float((made > limit).mean() / (truth > limit).mean()) for limit in limits]
        dark = [float((sums == 0).mean()) for sums in (truth, made)]
        found[label] = {"above": [round(x, 4) for x in above], "empty": [round(x, 4) for x in dark]}
    return found


def shown_sums(showers: Showers) -> Record:
    """Sums of the channels of Fig. 3, one a shower."""
    return {label: np.round(_sums(showers, label)).astype(int).tolist() for label in TAILS}


def shown_showers(showers: Showers) -> list[Record]:
    """Lit cells of some showers, of particles evenly spaced among all, for Fig. 2."""
    _, first = np.unique(showers.particle, return_index=True)
    rows = first[np.linspace(0, len(first) - 1, SHOWN).round().astype(int)]
    lit = [np.flatnonzero(cells) for cells in showers.cells[rows]]
    return [
        {"cells": cells.tolist(), "counts": showers.cells[row][cells].astype(int).tolist()}
        for row, cells in zip(rows, lit, strict=True)
    ]


def _sums(showers: Showers, label: str) -> Values:
    scheme = showers.detector.scheme(SCHEMES[0])
    sums: Values = _channels(showers, SCHEMES[0])[:, scheme.labels.index(label)]
    return sums


def _channels(showers: Showers, scheme: str) -> Values:
    return np.asarray(showers.detector.read_out(showers.cells, scheme), dtype=np.float64)


def _rounded(values: Values) -> list[float]:
    return [round(float(value), 4) for value in values]
