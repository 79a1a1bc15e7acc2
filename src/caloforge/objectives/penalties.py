"""Terms that keep the critic smooth. Gradients are taken on the network scale.

Shapes: N rows, K cells.
"""

import torch
from pydantic import Field
from torch import Tensor

from caloforge.objectives.core import Round, Term


class R1(Term):
    r"""Squared gradient of the critic at real showers.  (N,)

    .. math:: \| \nabla_x D(x) \|^2

    Reference: Mescheder et al., arXiv:1801.04406, Eq. (9); its gamma / 2 is this term's weight.
    """

    def critic(self, play: Round) -> Tensor:
        """Squared gradient norm with respect to the encoded cells.  (N,)"""
        return slope(play, play.encode(play.rows.real)).square().sum(dim=1)


class GradientPenalty(Term):
    r"""Gradient norm of the critic pulled to 1 between real and generated showers.  (N,)

    .. math:: (\| \nabla_{\hat x} D(\hat x) \| - 1)^2, \quad \hat x = u x + (1 - u) G(z, c)

    Reference: Gulrajani et al., arXiv:1704.00028, Eq. (3); its lambda is this term's weight.
    Both ends belong to the same row, so to one condition.
    """

    norm: float = Field(default=1.0, ge=0)

    def critic(self, play: Round) -> Tensor:
        """Squared distance of the gradient norm from 1.  (N,)"""
        # Uniform, and independent of the fake, which comes of z1.
        u = torch.special.ndtr(play.z2[:, :1]).to(play.rows.real.dtype)
        mixed = torch.lerp(play.encode(play.fake), play.encode(play.rows.real), u)
        # The root has no gradient at 0, where a critic of dead units puts it.
        length = (slope(play, mixed).square().sum(dim=1) + 1e-12).sqrt()
        return (length - self.norm).square()


def slope(play: Round, encoded: Tensor) -> Tensor:
    """Gradient of the critic's logit with respect to encoded cells.  (N, K) -> (N, K)"""
    encoded = encoded.detach().requires_grad_()
    logit = play.judge(play.views.scale.decode(encoded)).logit
    (gradient,) = torch.autograd.grad(logit.sum(), encoded, create_graph=True)
    return gradient
