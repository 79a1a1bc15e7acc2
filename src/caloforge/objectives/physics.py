"""Terms of physics: light and centre of a shower, energy, attributes read back, lit cells.

Shapes: N = P x R rows, K cells, C conditions, L layers, M numbers of a row that are held against
those of real showers of the same particle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn.functional import relu

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.networks.regressors import (
    AttributeKind,
    RegressorKind,
    attribute_regressor,
    cell_numbers,
    regressor,
)
from caloforge.networks.sparsity import EPSILON, Form, occupancy
from caloforge.objectives.core import GanStep, Player, Term

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


class Intensity(Agreement):
    r"""Total of a fake against that of the real shower of its row.  (N,)

    .. math:: \left| \sum_i G(z, c)_i - \sum_i x_i \right|

    Reference: arXiv:2406.03263, the intensity loss. In quanta (counts for the ZDC), or in
    ln(1 + total). An empty shower has a total of 0 like any other.
    """

    scale: Literal["counts", "log"] = "counts"

    def generator(self, play: GanStep) -> Tensor:
        """Distance of the totals; linear in their difference by default.  (N,)"""
        return self.between(play, self.numbers(play, play.fake), self.numbers(play, play.rows.real))

    def numbers(self, play: GanStep, showers: Tensor) -> Numbers:
        """Total of each shower.  (N, K) -> (N, 1)"""
        total = showers.sum(dim=1, keepdim=True)
        values = play.encode(total) if self.scale == "log" else total / play.views.scale.quantum
        return Numbers(values, torch.ones_like(values[:, 0], dtype=torch.bool))


class ShowerCentre(Agreement):
    r"""Centre of a fake against that of the real shower of its row.  (N,)

    .. math:: \| A(G(z, c)) - A(x) \|^2, \qquad \min_A \| A(x) - p(x) \|^2

    p is the hottest cell, which has no gradient; the regressor A learns it. Reference:
    arXiv:2406.03263, the auxiliary regressor. Trained on real showers, A reads both sides alike,
    so that its own errors pull nowhere. ``learns="fake"`` is the paper: A sees fakes alone, and
    they are held against p(x). ``of="mass"`` takes the centre of mass, which needs no regressor.
    Squared cells (4 mm wide in ZN and ZP), or mm^2. A row whose fake or real shower is empty has
    no centre and counts 0.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"peak"})
    distance: Literal["absolute", "squared", "moments"] = "squared"
    of: Literal["peak", "mass"] = "peak"
    learns: Literal["real", "fake"] = "real"
    unit: Literal["cells", "mm"] = "cells"
    regressor: RegressorKind = "light"

    def network(self, detector: Detector) -> nn.Module | None:
        """The regressor; UsageError for a detector whose showers have no one centre."""
        if detector.signed or len(detector.layers) > 1:
            raise UsageError(
                f"ShowerCentre reads one layer of cells; {detector.name} has another kind"
            )
        return None if self.of == "mass" else regressor(self.regressor, detector)

    def plays(self, player: Player) -> bool:
        """True where the term has a share for the player; a centre of mass trains nobody."""
        return super().plays(player) and not (player == "helper" and self.of == "mass")

    def generator(self, play: GanStep) -> Tensor:
        """Distance of the centres.  (N,)"""
        return self.between(play, self.numbers(play, play.fake), self.target(play))

    def helper(self, play: GanStep) -> Tensor | None:
        """Squared error of the regressor in the hottest cell of the real shower.  (N,)"""
        if self.of == "mass":
            return None
        showers = play.rows.real if self.learns == "real" else play.fake
        return squared(play, self.numbers(play, showers), self.hottest(play))

    def target(self, play: GanStep) -> Numbers:
        """Centre of the real shower, read as that of fakes; the paper: its hottest cell.  (N, 2)"""
        if self.of == "peak" and self.learns == "fake":
            return self.hottest(play)
        return self.numbers(play, play.rows.real)

    def hottest(self, play: GanStep) -> Numbers:
        """Hottest cell of the real shower.  (N, 2)"""
        return Numbers(play.peak * self.pitch(play), play.rows.real.any(dim=1))

    def numbers(self, play: GanStep, showers: Tensor) -> Numbers:
        """Centre by the regressor, or of mass.  (N, K) -> (N, 2)"""
        if self.of == "peak":
            cells = play.ask(self, showers)
        else:
            cells = showers @ cell_numbers(play.views.detector).to(showers)
            cells = cells / torch.where(showers.any(dim=1), showers.sum(dim=1), 1.0)[:, None]
        return Numbers(cells * self.pitch(play), showers.any(dim=1))

    def pitch(self, play: GanStep) -> Tensor:
        """What a step of one cell is in the unit of the term.  (2,)"""
        (layer,) = play.views.detector.layers
        return play.rows.real.new_tensor(layer.cell_mm if self.unit == "mm" else (1.0, 1.0))


class EnergyConditioning(Term):
    r"""Sum of all cells of a fake against the energy that was asked for.  (N,)

    .. math:: \max\left(0, \left| \sum_i G(z, c)_i - r f E \right| - k s E\right)

    in the detector's unit; f the detector's sampling fraction, r the mean response, s the standard
    deviation of the total over E among the real showers of the batch. Reference: CaloGAN,
    arXiv:1712.10321, with weight 0.05 and GeV; it has r = 1 and k = 0. The distance of one shower
    from a mean is least without any fluctuation: k = 0 takes the energy resolution away. Right
    where all energy is deposited: for pi+, most of which leak out, turn it off (weight 0).
    """

    response: float | None = Field(default=1.0, gt=0)
    """Mean of the total over f E; None: that of the real showers of the batch."""
    tolerance: float = Field(default=0.0, ge=0)
    """Standard deviations of real showers within which a fake is free (k)."""

    def generator(self, play: GanStep) -> Tensor:
        """Difference beyond the tolerance; raises UsageError without an energy.  (N,)"""
        detector = play.views.detector
        if detector.energy is None:
            raise UsageError(f"EnergyConditioning: {detector.name} names no energy")
        energy = play.rows.conditions[:, detector.column(detector.energy)]
        real = play.rows.real.sum(dim=1) / energy
        mean = real.mean()
        if self.response is not None:
            mean = real.new_tensor(self.response * detector.sampling_fraction)
        free = self.tolerance * real.std(correction=0) * energy
        return relu((play.fake.sum(dim=1) - mean * energy).abs() - free)


class AttributeRegression(Term):
    r"""Attributes asked for against those that a regressor reads from the fake.  (N,)

    .. math:: G: \sum_k \lambda_k\, |a_k - \Xi_k(G(z, a))|, \qquad
        \Xi: \sum_k \lambda_k\, |a_k - \Xi_k(x)|

    with a the conditions of the row, of unit spread over the training part. Reference: the
    Conditional CaloGAN, Eq. 3, which as printed takes real showers only and so gives the generator
    no gradient; the share of G here is what its text and code do. ``learns="both"``, as in that
    code, trains the regressor on fakes, too, which lets generator and regressor agree on anything;
    with ``training.pretraining`` it is trained on real showers before and frozen.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"attributes"})
    weights: tuple[float, ...] | None = None
    """One for each condition, in their order; None: 1, and 0 for the energy."""
    distance: Literal["absolute", "squared"] = "absolute"
    learns: Literal["real", "both"] = "real"
    regressor: AttributeKind = "light"

    @field_validator("weights")
    @classmethod
    def _require_no_negative(cls, weights: tuple[float, ...] | None) -> tuple[float, ...] | None:
        for number, weight in enumerate(weights or ()):
            if weight < 0:
                raise UsageError(
                    f"objective.AttributeRegression.weights.{number} is {weight:g}: "
                    "0 turns an attribute off"
                )
        return weights

    def network(self, detector: Detector) -> nn.Module:
        """The regressor; raises UsageError for weights of other conditions."""
        if self.weights is not None and len(self.weights) != len(detector.columns):
            raise UsageError(
                f"AttributeRegression.weights: {detector.name} has the conditions "
                f"{', '.join(detector.columns)}; give a weight for each"
            )
        return attribute_regressor(self.regressor, detector)

    def generator(self, play: GanStep) -> Tensor:
        """Error of what is read from the fake.  (N,)"""
        return self.error(play, play.fake)

    def helper(self, play: GanStep) -> Tensor:
        """Error of what is read from the real shower, and from the fake if asked to.  (N,)"""
        error = self.error(play, play.rows.real)
        return error if self.learns == "real" else error + self.error(play, play.fake)

    def error(self, play: GanStep, showers: Tensor) -> Tensor:
        """Weighted sum over attributes.  (N, K) -> (N,)"""
        gap = play.ask(self, showers) - play.attributes
        size = gap.abs() if self.distance == "absolute" else gap.square()
        return size @ gap.new_tensor(self.weights_of(play.views.detector))

    def weights_of(self, detector: Detector) -> tuple[float, ...]:
        """A weight for each condition."""
        return self.weights or tuple(float(name != detector.energy) for name in detector.columns)


class SoftSparsity(Agreement):
    r"""Lit cells of each layer of a fake against those of the real shower of its row.  (N,)

    .. math:: \sum_l | S_l(G(z, c)) - S_l(x) |, \qquad
        S_l = \frac1{n_l} \sum_i s(X_i / q), \quad s(X) = (t(X^b + X^{1/b}))^{1/b}

    t(y) = y / (1 + y), b = 5, q = ``scale`` in the detector's unit (None: its quantum). The
    Conditional CaloGAN's Eq. 5 has X^-b for X^(1/b) and is 1 at X = 0, against its Eq. 6; this is
    the form of its code that tends to the indicator (networks/sparsity.py). There it is an input
    of the critic, which it is here, too (``critic.occupancy``); as a term of its own it needs
    none. The distance of one pair is least at the median: ``moments`` where particles repeat.
    """

    form: Form = "root"
    scale: float | None = Field(default=None, gt=0)
    epsilon: float = Field(default=EPSILON, gt=0)

    def generator(self, play: GanStep) -> Tensor:
        """Distance of both occupancies.  (N,)"""
        return self.between(
            play, self.occupancies(play, play.fake), self.occupancies(play, play.rows.real)
        )

    def plays(self, player: Player) -> bool:
        """False for hard counts, which have no gradient."""
        return super().plays(player) and self.form != "hard"

    def occupancies(self, play: GanStep, showers: Tensor) -> Numbers:
        """Occupancy of each layer.  (N, K) -> (N, L)"""
        fractions = occupancy(
            play.views.detector, showers, self.form, scale=self.scale, epsilon=self.epsilon
        )
        return Numbers(fractions, torch.ones_like(fractions[:, 0], dtype=torch.bool))
