"""The game itself: what the generator and the critic play for.

Shapes: N rows.

Terms that keep the critic smooth, by the size of its gradient.

The gradient is taken in what the critic sees (``space="view"``), where all inputs are of order one,
or in the coded cells. Shapes: N rows, K cells, V numbers of the critic's view of a shower.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import relu, softplus

from caloforge.objectives.core import GanStep, Term
from caloforge.objectives.gan_step import slope_in


class Minimax(Term):
    r"""The papers' original game.  (N,)

    .. math:: \min_G \max_D \log D(x|c) + \log(1 - D(G(z, c)|c))

    Reference: arXiv:2207.01561, Eq. (1). With D = sigmoid(logit), log(1 - D) = -softplus(logit).
    """

    def generator(self, play: GanStep) -> Tensor:
        """log(1 - D(G)).  (N,)"""
        return -softplus(play.on_fake.logit)

    def critic(self, play: GanStep) -> Tensor:
        """Binary cross-entropy of real against fake.  (N,)"""
        return softplus(-play.on_real.logit) + softplus(play.on_fake.logit)


class NonSaturating(Minimax):
    r"""The same critic; the generator maximises log D(G) instead.  (N,)

    Reference: Goodfellow et al., arXiv:1406.2661, section 3. What all public codes train.
    """

    def generator(self, play: GanStep) -> Tensor:
        """-log D(G).  (N,)"""
        return softplus(-play.on_fake.logit)


class Paired(Term):
    r"""Each real shower against the fake of its own row, so of its own condition.  (N,)

    .. math:: D: \; -\log \sigma(f(x, c) - f(G(z, c), c)), \qquad
        G: \; -\log \sigma(f(G(z, c), c) - f(x, c))

    Reference: the relativistic game of Jolicoeur-Martineau, arXiv:1807.00734, Eqs. (5) and (6),
    paired; Huang et al., arXiv:2501.05441, Eq. (1), with ``R1`` and ``R2``. Only differences of
    logits of one condition count, which the critic need not compare with those of others.
    """

    def generator(self, play: GanStep) -> Tensor:
        """How far the fake falls behind the real shower.  (N,)"""
        return softplus(play.on_real.logit.detach() - play.on_fake.logit)

    def critic(self, play: GanStep) -> Tensor:
        """How far the real shower falls behind the fake.  (N,)"""
        return softplus(play.on_fake.logit - play.on_real.logit)


class FlippedLabels(NonSaturating):
    r"""The non-saturating game of a critic that is told some rows wrongly.  (N,)

    .. math:: D: \; -(1 - p) \log D(x) - p \log(1 - D(x)), \quad p\ \text{of the rows by chance}

    With probability p a real row is called generated, with probability p a generated one real, and
    never both of a pair: the critic cannot become certain. Reference: Salimans et al.,
    arXiv:1606.03498, section 3.4 (one side, smoothed); the Conditional CaloGAN, section 3, says
    that it flips labels, its public code does not.
    """

    probability: float = Field(default=0.05, ge=0, le=0.5)

    def critic(self, play: GanStep) -> Tensor:
        """Binary cross-entropy with flipped labels.  (N,)"""
        # Uniform, and independent of the fake, which comes of z1.
        chance = torch.special.ndtr(play.z2[:, 0])
        real = torch.where(chance < self.probability, -1.0, 1.0)
        fake = torch.where(chance > 1 - self.probability, -1.0, 1.0)
        return softplus(-real * play.on_real.logit) + softplus(fake * play.on_fake.logit)


class Wasserstein(Term):
    r"""The critic estimates a Wasserstein-1 distance, the generator shortens it.  (N,)

    .. math:: \min_G \max_{f \in \mathrm{Lip}_1} f(x, c) - f(G(z, c), c)

    Reference: Arjovsky et al., arXiv:1701.07875, Eq. (2). The critic must be kept near
    Lipschitz 1 by another term (``GradientPenalty``), else its logits run away.
    """

    unbounded: ClassVar[bool] = True

    def generator(self, play: GanStep) -> Tensor:
        """-f(G).  (N,)"""
        return -play.on_fake.logit

    def critic(self, play: GanStep) -> Tensor:
        """f(G) - f(x).  (N,)"""
        return play.on_fake.logit - play.on_real.logit


class Hinge(Wasserstein):
    r"""The same generator; the critic stops where a row is right by a margin of 1.  (N,)

    .. math:: \max(0, 1 - f(x, c)) + \max(0, 1 + f(G(z, c), c))

    Reference: Lim and Ye, arXiv:1705.02894, section 3; Miyato et al., arXiv:1802.05957, Eq. (16).
    """

    unbounded: ClassVar[bool] = False

    def critic(self, play: GanStep) -> Tensor:
        """Missing margin of real and fake.  (N,)"""
        return relu(1 - play.on_real.logit) + relu(1 + play.on_fake.logit)


Space = Literal["view", "cells"]


class Penalty(Term):
    """A term that keeps a critic smooth beside a game, which tells it what is real."""


class ZeroCentred(Penalty):
    """What R1 and R2 share: a squared gradient, and a weight that may fall over the run."""

    space: Space = "view"
    """Whether the gradient is taken in what the critic sees, or in coded cells alone."""
    falls_to: float = Field(default=1.0, gt=0, le=1)
    """Part of the weight that is left at the end of the run, on an exponential curve."""
    every: int = Field(default=1, ge=1, le=10**9)
    """Taken on each step of so many, with so many times the weight: a second derivative costs as
    much as the rest of a critic's step (Karras et al., arXiv:1912.04958, section 3.1)."""

    @property
    def one_pass(self) -> bool:
        """In the critic's view, both ends come from one pass on real and fake rows."""
        return self.space == "view"

    def due(self, play: GanStep) -> bool:
        """Whether the term is taken on this step."""
        return play.step % self.every == 0

    def of(self, play: GanStep, slope: Tensor) -> Tensor:
        """Squared norm of a gradient, weighed.  (N, V) -> (N,)"""
        weight: float = self.every * self.falls_to**play.progress
        return weight * slope.square().sum(dim=1)


class R1(ZeroCentred):
    r"""Squared gradient of the critic at real showers.  (N,)

    .. math:: \| \nabla_x D(x) \|^2

    Reference: Mescheder et al., arXiv:1801.04406, Eq. (9); its gamma / 2 is this term's weight.
    """

    def critic(self, play: GanStep) -> Tensor | None:
        """Squared gradient norm.  (N,)"""
        if not self.due(play):
            return None
        if self.space == "view":
            return self.of(play, play.slopes[0])
        return self.of(play, slope_in_cells(play, play.encode(play.rows.real)))


class R2(ZeroCentred):
    r"""Squared gradient of the critic at generated showers.  (N,)

    .. math:: \| \nabla_x D(G(z, c)) \|^2

    Reference: Mescheder et al., arXiv:1801.04406, Eq. (10); with ``Paired`` and ``R1`` the loss of
    Huang et al., arXiv:2501.05441, section 2. A game with R1 alone need not converge.
    """

    def critic(self, play: GanStep) -> Tensor | None:
        """Squared gradient norm.  (N,)"""
        if not self.due(play):
            return None
        if self.space == "view":
            return self.of(play, play.slopes[1])
        return self.of(play, slope_in_cells(play, play.encode(play.fake)))


class GradientPenalty(Penalty):
    r"""Gradient norm of the critic pulled to 1 between real and generated showers.  (N,)

    .. math:: (\| \nabla_{\hat x} D(\hat x) \| - 1)^2, \quad \hat x = u x + (1 - u) G(z, c)

    Reference: Gulrajani et al., arXiv:1704.00028, Eq. (3); its lambda is this term's weight.
    Both ends belong to the same row, so to one condition.
    """

    norm: float = Field(default=1.0, ge=0)
    space: Space = "view"
    """Where both ends are mixed and the gradient is taken."""

    def critic(self, play: GanStep) -> Tensor:
        """Squared distance of the gradient norm from 1.  (N,)"""
        # Uniform, and independent of the fake, which comes of z1.
        u = torch.special.ndtr(play.z2[:, :1]).to(play.rows.real.dtype)
        see, slope = (
            (play.view, slope_in_view) if self.space == "view" else (play.encode, slope_in_cells)
        )
        mixed = torch.lerp(see(play.fake), see(play.rows.real), u)
        # The root has no gradient at 0, where a critic of dead units puts it.
        length = (slope(play, mixed).square().sum(dim=1) + 1e-12).sqrt()
        return (length - self.norm).square()


def slope_in_view(play: GanStep, view: Tensor) -> Tensor:
    """Gradient of the critic's logit in what it sees.  (N, V) -> (N, V)"""
    view = view.detach().requires_grad_()
    return slope_in(view, play.judge_view(view).logit)


def slope_in_cells(play: GanStep, encoded: Tensor) -> Tensor:
    """Gradient of the critic's logit in coded cells.  (N, K) -> (N, K)"""
    encoded = encoded.detach().requires_grad_()
    return slope_in(encoded, play.judge(play.views.scale.decode(encoded)).logit)
