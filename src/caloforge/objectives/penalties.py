"""Terms that keep the critic smooth.

Shapes: N rows, K cells.
"""

import torch
from torch import Tensor

from caloforge.objectives.core import Round, Term


class R1(Term):
    r"""Squared gradient of the critic at real showers, on the network scale.  (N,)

    .. math:: \| \nabla_x D(x) \|^2

    Reference: Mescheder et al., arXiv:1801.04406, Eq. (9); its gamma / 2 is this term's weight.
    """

    def critic(self, play: Round) -> Tensor:
        """Squared gradient norm with respect to the encoded cells.  (N,)"""
        scale = play.views.scale
        encoded = scale.encode(play.rows.real).requires_grad_()
        logit = play.judge(scale.decode(encoded)).logit
        (slope,) = torch.autograd.grad(logit.sum(), encoded, create_graph=True)
        return slope.square().sum(dim=1)
