"""What a gate looks at: every check asks one question about exchangeable rows.

Shapes: N pooled rows, P units, S strata, c channels, B exchanges.
A new check is one function ``(Evidence) -> Outcome`` and one row of ``checks``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.alike import distances_within, energy_and_diversity
from caloforge.evaluate.exchange import (
    UNDEFINED,
    Labels,
    Outcome,
    exchanged,
    mean_difference,
    outcome_of,
)
from caloforge.evaluate.pool import Pool
from caloforge.evaluate.ranks import medians_within, ranks_within

Values = NDArray[np.float64]
EXCHANGES = 200
PRIOR_ROWS = 4
"""Rows that the usual relative variance counts for when that of a particle is estimated."""
Weight = Literal["headline", "detail"]


@dataclass(frozen=True)
class Evidence:
    """A pool, random exchanges of it, and what training showed."""

    pool: Pool
    labels: Labels
    """The true labels, then exchanges of them.  (1 + B, N)"""
    known: frozenset[bytes] | None = None
    """Training showers as bytes; None where the training showers are not given."""

    @cached_property
    def images(self) -> tuple[Values, Values]:
        """Energy distance and difference in diversity under all labels.  (1 + B,) each"""
        return energy_and_diversity(distances_within(self.pool), self.labels)


@dataclass(frozen=True)
class Check:
    """One question; its answer is a difference of generated and real in sigma."""

    name: str
    title: str
    weight: Weight
    of: Callable[[Evidence], Outcome]


def evidence_of(
    pool: Pool, known: frozenset[bytes] | None, rng: np.random.Generator, count: int = EXCHANGES
) -> Evidence:
    """A pool with random exchanges of its labels."""
    return Evidence(pool, exchanged(pool.generated, pool.unit, count, rng), known)


def checks(pool: Pool) -> tuple[Check, ...]:
    """All checks that a pool allows; four headlines, then every channel and observable."""
    return tuple(_chosen(pool))


def _chosen(pool: Pool) -> Iterator[Check]:
    yield Check("showers", "whole showers (energy distance)", "headline", whole_showers)
    yield Check("diversity", "diversity of the showers of a particle", "headline", diversity)
    yield Check("conditional_w1", "conditional W1 of the channels", "headline", conditional_w1)
    yield Check("energy_scale", "scale of the total", "headline", energy_scale)
    yield Check("copies", "copies of training showers", "headline", copies)
    names = [*pool.labels, *(name for name in pool.seen.values if name != "empty")]
    yield Check("location_empty", "empty showers", "detail", empty)
    yield Check("together", "channels that fluctuate together", "detail", together)
    for name in names:
        yield Check(f"location_{name}", f"{name}: position", "detail", partial(location, name=name))
    for name in names:
        yield Check(f"spread_{name}", f"{name}: spread", "detail", partial(spread, name=name))


def whole_showers(evidence: Evidence) -> Outcome:
    """Energy distance of the images inside a stratum, in units of the mean distance."""
    return outcome_of(evidence.images[0], one_sided=True)


def diversity(evidence: Evidence) -> Outcome:
    """Distance between generated minus that between real showers, in units of the mean."""
    return outcome_of(evidence.images[1], one_sided=False)


def conditional_w1(evidence: Evidence) -> Outcome:
    """W1 of the channel sums inside a stratum, mean over channels, above that of exchanges."""
    pool = evidence.pool
    total = np.zeros(len(evidence.labels))
    for channel in pool.seen.channels.T:
        total += w1_within(channel, evidence.labels, pool.stratum)
    return outcome_of(total / pool.seen.channels.shape[1], one_sided=True)


def w1_within(values: Values, labels: Labels, stratum: NDArray[np.int64]) -> Values:
    """Mean over strata of W1 between both sides, under all labels.  (N,), (1 + B, N) -> (1 + B,)"""
    order = np.lexsort((values, stratum))
    gaps = np.diff(values[order]) * (np.diff(stratum[order]) == 0)
    made = np.bincount(stratum[labels[0]], minlength=stratum.max() + 1)
    true = np.bincount(stratum[~labels[0]], minlength=stratum.max() + 1)
    shares = 1 / np.maximum(made, 1), -1 / np.maximum(true, 1)
    up, down = (share[stratum[order]] for share in shares)
    found = np.empty(len(labels))
    for number, row in enumerate(labels):
        heights = np.cumsum(np.where(row[order], up, down))[:-1]
        found[number] = np.abs(heights) @ gaps
    return found / len(made)


def energy_scale(evidence: Evidence) -> Outcome:
    """Relative difference of the total, particles weighted by how well they are known.

    The weight is the inverse of the pooled relative variance of a particle, drawn towards the
    median one, since eight showers tell a variance roughly.
    """
    pool = evidence.pool
    total = pool.value("total")
    count = np.bincount(pool.unit)
    mean = np.bincount(pool.unit, total) / count
    lit = mean > 0
    if pool.detector.signed or not lit.any():
        return UNDEFINED
    relative = np.where(lit[pool.unit], total / np.where(lit, mean, 1)[pool.unit], np.nan)
    square = np.bincount(pool.unit, np.nan_to_num((relative - 1) ** 2)) / np.maximum(count - 1, 1)
    usual = np.median(square[lit])
    variance = ((count - 1) * square + PRIOR_ROWS * usual) / (count - 1 + PRIOR_ROWS)
    made = np.bincount(pool.unit[pool.generated], minlength=len(count))
    share = made * (count - made) / count
    weight = np.where(lit & (variance > 0), share / np.maximum(variance, 1e-30), 0)
    return mean_difference(relative, pool.generated, pool.unit, weight)


def copies(evidence: Evidence) -> Outcome:
    """Fraction of the lit showers that equal a training shower, generated minus real."""
    if evidence.known is None:
        return UNDEFINED
    cells = evidence.pool.cells
    same = np.array([float(row.tobytes() in evidence.known) for row in cells])
    return mean_difference(
        np.where(cells.any(axis=1), same, np.nan), evidence.pool.generated, evidence.pool.unit
    )


def empty(evidence: Evidence) -> Outcome:
    """Fraction of empty showers, generated minus real."""
    pool = evidence.pool
    return mean_difference(pool.value("empty"), pool.generated, pool.unit)


def location(evidence: Evidence, *, name: str) -> Outcome:
    """Mean rank inside the stratum, generated minus real: van Elteren's test (1960)."""
    pool = evidence.pool
    ranks = ranks_within(pool.value(name), pool.stratum)
    return mean_difference(ranks, pool.generated, pool.unit)


def spread(evidence: Evidence, *, name: str) -> Outcome:
    """The same of the distance from the middle of the stratum, both sides together."""
    pool = evidence.pool
    values = pool.value(name)
    away = np.abs(values - medians_within(values, pool.stratum))
    return mean_difference(ranks_within(away, pool.stratum), pool.generated, pool.unit)


def together(evidence: Evidence) -> Outcome:
    """Whether channels deviate together: sum over pairs of products of their deviations.

    Deviations are ranks about the middle, hence the value is a difference of rank covariances.
    """
    pool = evidence.pool
    if len(pool.labels) < 2:
        return UNDEFINED
    ranks = np.stack([ranks_within(v, pool.stratum) - 0.5 for v in pool.seen.channels.T], axis=1)
    pairs = ranks.sum(axis=1) ** 2 - (ranks**2).sum(axis=1)
    return mean_difference(pairs, pool.generated, pool.unit)


def known_showers(cells: NDArray[np.generic]) -> frozenset[bytes]:
    """Lit showers as bytes, for the search of copies.  (M, K)"""
    return frozenset(row.tobytes() for row in cells[cells.any(axis=1)])
