"""Terms that keep the generator from giving one shower per condition.

Shapes: N rows, K cells, Z latents, F critic features.
"""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from caloforge.objectives.core import Round, Term


def l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of two rows.  (N, M), (N, M) -> (N,)"""
    return (a - b).abs().flatten(1).mean(dim=1)


class ModeSeeking(Term):
    r"""Inverse of how far showers move when the latent moves.  (N,)

    .. math:: d_z(z_1, z_2) / (d_I(G(c, z_1), G(c, z_2)) + \epsilon)

    Reference: MS-GAN, arXiv:1903.05628, Eq. (4). Distances are averaged over the rows of a
    particle before the ratio: per pair, close pairs dominate and inflate consistent particles
    (docs/choices.md, "average before inverting"); ``average="pair"`` is the literal form.
    """

    space: Literal["pixels", "features"] = "pixels"
    average: Literal["condition", "pair"] = "condition"
    epsilon: float = Field(default=1e-5, gt=0)

    def generator(self, play: Round) -> Tensor:
        """Distance of latents over distance of showers.  (N,)"""
        latents, showers = l1(play.z1, play.z2), self.distance(play)
        if self.average == "condition":
            latents, showers = play.condition_mean(latents), play.condition_mean(showers)
        return latents / (showers + self.epsilon)

    def distance(self, play: Round) -> Tensor:
        """Distance of the two fakes of a row, in pixels or critic features.  (N,)"""
        if self.space == "features":
            return l1(play.on_fake.features, play.on_fake2.features)
        return l1(play.encode(play.fake), play.encode(play.fake2))


class SelectiveDiversity(ModeSeeking):
    r"""Mode seeking scaled by the spread of the real showers of this condition.  (N,)

    .. math:: f_{div}(c) \, d_z(z_1, z_2) / (d_I(G(c, z_1), G(c, z_2)) + \epsilon)

    Reference: SDI-GAN, arXiv:2207.01561, Eq. (4), distance in the critic's penultimate layer.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"spread"})
    space: Literal["pixels", "features"] = "features"

    def generator(self, play: Round) -> Tensor:
        """The weighted ratio; exactly 0 for a particle of the lowest spread.  (N,)"""
        return play.spread * super().generator(play)
