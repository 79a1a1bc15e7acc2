"""Showers of near latents alike, of far latents different: contrast in the critic's features.

Shapes: N = P x R rows, Z latents, F critic features.
"""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from caloforge.objectives.core import GanStep, Term


class LatentContrast(Term):
    r"""Latent-augmented contrastive loss.  (N,)

    .. math:: -\log \frac{e^{h \cdot h^+ / \tau}}
        {e^{h \cdot h^+ / \tau} + \sum_i e^{h \cdot h_i^- / \tau}}

    h: unit features of G(c, z); h+ of a latent within ``radius`` of z in each component; h- of
    the other fakes of the same condition, 2 R - 1 of them, whose latents are independent.
    Reference: DivCo, arXiv:2103.07893, section 3 (latent-augmented contrastive loss).
    """

    temperature: float = Field(default=0.07, gt=0)
    radius: float = Field(default=1e-3, gt=0)

    def generator(self, play: GanStep) -> Tensor:
        """Cross-entropy of picking the near shower among the others.  (N,)"""
        # Uniform in each component, and independent of z1.
        shift = self.radius * (2 * torch.special.ndtr(play.z2) - 1)
        near = normalize(play.judge(play.generate(play.z1 + shift)).features, dim=1)
        query, other = (normalize(v.features, dim=1) for v in (play.on_fake, play.on_fake2))
        logits = torch.cat(
            [(query * near).sum(dim=1, keepdim=True), others(play, query, other)], dim=1
        )
        right = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        return cross_entropy(logits / self.temperature, right, reduction="none")


def others(play: GanStep, query: Tensor, other: Tensor) -> Tensor:
    """Cosines with the other fakes of the particle.  (N, F), (N, F) -> (N, 2 R - 1)"""
    own, second = play.by_particle(query), play.by_particle(other)
    among, across = own @ own.mT, own @ second.mT
    repeats = own.shape[1]
    apart = ~torch.eye(repeats, dtype=torch.bool, device=own.device)
    among = among[:, apart].reshape(len(own), repeats, repeats - 1)
    return torch.cat([among, across], dim=2).flatten(0, 1)
