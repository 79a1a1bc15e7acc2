"""The game itself: what the generator and the critic play for.

Shapes: N rows.
"""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import relu, softplus

from caloforge.objectives.core import GanStep, Term


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

    With probability p a real row is called generated and the other way round, independently: the
    critic cannot become certain. Reference: Salimans et al., arXiv:1606.03498, section 3.4 (one
    side, smoothed); the Conditional CaloGAN, section 3, says that it flips labels, its public code
    does not.
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

    def critic(self, play: GanStep) -> Tensor:
        """Missing margin of real and fake.  (N,)"""
        return relu(1 - play.on_real.logit) + relu(1 + play.on_fake.logit)
