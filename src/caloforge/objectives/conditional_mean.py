"""A start for adversarial training: the generator's conditional means are those of real showers.

Shapes: N rows, M inputs of the critic.
"""

from __future__ import annotations

import torch
from torch import Tensor

from caloforge.objectives.core import GanStep, Term


class ConditionalMean(Term):
    r"""Squared distance of conditional means in the space that the critic sees.  (N,)

    .. math:: \sum_b \frac{1}{M_b} \sum_{k \in b}
        \left( v_k(G(z_1, c)) - v_k(x) \right) \left( v_k(G(z_2, c)) - v_k(x) \right)

    with v the inputs of the critic, in blocks b (views, cells) of M_b inputs. For independent
    latents the expected product is :math:`| E[v(G) | c] - E[v(x) | c] |^2` plus the variance of
    the real showers, which no generator changes: unlike the square of one difference it does not
    reward a generator without fluctuations. One real shower of a condition is enough.

    It trains a generator only before the game (``recipe.start``): it says nothing of spreads.
    """

    def generator(self, play: GanStep) -> Tensor:
        """Product of both differences, averaged over each block.  (N,)"""
        real = play.view(play.rows.real)
        product = (play.view(play.fake) - real) * (play.view(play.fake2) - real)
        return torch.stack([part.mean(dim=1) for part in play.parts_of(product)]).sum(dim=0)
