"""Terms of layered calorimeters: the requested energy, attributes read back, lit cells.

Shapes: N rows, K cells, C conditions, L layers.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import relu

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.networks.regressors import AttributeKind, attribute_regressor
from caloforge.networks.sparsity import EPSILON, Form, occupancy
from caloforge.objectives.agreement import Agreement, Numbers
from caloforge.objectives.core import GanStep, Player, Term


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
