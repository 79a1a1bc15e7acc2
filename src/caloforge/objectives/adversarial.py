"""The game itself: what the generator and the critic play for.

Shapes: N rows.
"""

from torch import Tensor
from torch.nn.functional import softplus

from caloforge.objectives.core import Round, Term


class Minimax(Term):
    r"""The papers' original game.  (N,)

    .. math:: \min_G \max_D \log D(x|c) + \log(1 - D(G(z, c)|c))

    Reference: arXiv:2207.01561, Eq. (1). With D = sigmoid(logit), log(1 - D) = -softplus(logit).
    """

    def generator(self, play: Round) -> Tensor:
        """log(1 - D(G)).  (N,)"""
        return -softplus(play.on_fake.logit)

    def critic(self, play: Round) -> Tensor:
        """Binary cross-entropy of real against fake.  (N,)"""
        return softplus(-play.on_real.logit) + softplus(play.on_fake.logit)


class NonSaturating(Minimax):
    r"""The same critic; the generator maximises log D(G) instead.  (N,)

    Reference: Goodfellow et al., arXiv:1406.2661, section 3. What all public codes train.
    """

    def generator(self, play: Round) -> Tensor:
        """-log D(G).  (N,)"""
        return softplus(-play.on_fake.logit)
