"""How numbers of fakes are held against those of real showers of the same particle.

Shapes: N = P x R rows, M numbers of a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from caloforge.objectives.core import GanStep, Term

LEAST_VARIANCE = 1e-12
"""Under the root of a variance, whose gradient at 0 is infinite."""


class Numbers(NamedTuple):
    """Numbers of each row, and whether the row has them; finite everywhere."""

    values: Tensor
    """(N, M)"""
    there: Tensor
    """(N,)"""


class Agreement(Term):
    """What terms share that hold a few numbers of a fake against those of a real shower.

    ``absolute`` and ``squared`` compare a fake with the one real shower of its row. They are least
    where every fake has the median, or the mean, of its condition: both shrink fluctuations.
    ``moments`` compares mean and standard deviation of the rows of a particle instead.
    """

    distance: Literal["absolute", "squared", "moments"] = "absolute"

    def between(self, play: GanStep, fake: Numbers, real: Numbers) -> Tensor:
        """Distance of fakes and real showers.  (N, M), (N, M) -> (N,)"""
        return DISTANCES[self.distance](play, fake, real)


def absolute(play: GanStep, fake: Numbers, real: Numbers) -> Tensor:
    """Sum of absolute differences; 0 for a row without the numbers.  (N,)"""
    return (fake.values - real.values).abs().sum(dim=1) * (fake.there & real.there)


def squared(play: GanStep, fake: Numbers, real: Numbers) -> Tensor:
    """Sum of squared differences; 0 for a row without the numbers.  (N,)"""
    return (fake.values - real.values).square().sum(dim=1) * (fake.there & real.there)


def moments(play: GanStep, fake: Numbers, real: Numbers) -> Tensor:
    r"""Squared difference of means and of standard deviations, the same for a particle.  (N,)

    .. math:: (\bar g - \bar x)^2 - \frac{s_g^2}{n_g} - \frac{s_x^2}{n_x}
        + s_g^2 + s_x^2 - \frac{2 s_g s_x}{c_4(n_g) c_4(n_x)}

    with s^2 the unbiased variances of n different rows: for normal numbers an unbiased estimate of
    the squared 2-Wasserstein distance of both laws. Without the second and third term, and
    without c_4 = E[s] / sigma, the few rows of a batch would shrink fluctuations, too. A side with
    one row has no variance: the means are compared alone.
    """
    first, second = statistics(play, fake, None), statistics(play, real, play.distinct)
    means = (first.mean - second.mean).square() - first.noise - second.noise
    product = (first.variance * second.variance + LEAST_VARIANCE).sqrt()
    both = first.variance + second.variance - 2 * product / (c4(first.rows) * c4(second.rows))
    spreads = torch.where((first.rows > 1) & (second.rows > 1), both, 0.0)
    compared = (means + spreads) * ((first.rows > 0) & (second.rows > 0))
    return compared.sum(dim=1).repeat_interleave(play.rows.repeats)


class Statistics(NamedTuple):
    """Mean and variance of each particle; (P, M), and (P, 1) rows."""

    mean: Tensor
    variance: Tensor
    """Unbiased; 0 for fewer than two different rows."""
    rows: Tensor
    """Different rows that have the numbers."""

    @property
    def noise(self) -> Tensor:
        """Expected square of the error of the mean.  (P, M)"""
        return self.variance / self.rows.clamp(min=1)


def statistics(play: GanStep, numbers: Numbers, distinct: Tensor | None) -> Statistics:
    """Of the rows that have the numbers, ``distinct`` (N,) of R different ones."""
    values = play.by_particle(numbers.values)
    there = play.by_particle(numbers.there)[..., None].to(values.dtype)
    rows = there.sum(dim=1)
    mean = (values * there).sum(dim=1) / rows.clamp(min=1)
    scatter = ((values - mean[:, None]).square() * there).sum(dim=1) / rows.clamp(min=1)
    if distinct is not None:
        # Real showers of a particle that has fewer than R stand in the batch several times.
        rows = (rows * play.by_particle(distinct)[:, :1] / play.rows.repeats).round()
    variance = torch.where(rows > 1, scatter * rows / (rows - 1).clamp(min=1), 0.0)
    return Statistics(mean, variance, rows)


def c4(rows: Tensor) -> Tensor:
    r"""Expected standard deviation of n normal numbers over the true one, n at least 2.

    .. math:: c_4(n) = \sqrt{2 / (n - 1)} \, \Gamma(n / 2) / \Gamma((n - 1) / 2)
    """
    rows = rows.clamp(min=2)
    return (2 / (rows - 1)).sqrt() * torch.exp(
        torch.lgamma(rows / 2) - torch.lgamma((rows - 1) / 2)
    )


DISTANCES: dict[str, Callable[[GanStep, Numbers, Numbers], Tensor]] = {
    "absolute": absolute,
    "squared": squared,
    "moments": moments,
}
