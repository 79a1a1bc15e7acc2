"""Terms that keep the generator from giving one shower per condition.

Shapes: N = P x R rows, K cells, M numbers of a row, Z latents, F critic features.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from caloforge.objectives.core import GanStep, Term


def l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of two rows.  (N, M), (N, M) -> (N,)"""
    return (a - b).abs().flatten(1).mean(dim=1)


class Distance(Term):
    """What these terms share: how far two showers of one condition are apart."""

    space: Literal["pixels", "features"] = "features"
    """Cells on the network scale, or the critic's penultimate layer."""
    epsilon: float = Field(default=1e-5, gt=0)
    """Added to a distance that is divided by, or whose logarithm is taken."""

    def between_fakes(self, play: GanStep) -> Tensor:
        """Distance of the two fakes of a row.  (N,)"""
        if self.space == "features":
            return l1(play.on_fake.features, play.on_fake2.features)
        return l1(play.encode(play.fake), play.encode(play.fake2))

    def between_reals(self, play: GanStep) -> Tensor:
        """Distance of the real shower of a row and its twin.  (N,)"""
        if self.space == "features":
            return l1(play.on_real.features, play.on_twin.features).detach()
        return l1(play.encode(play.rows.real), play.encode(play.twin))


class ScaledDistance(Distance):
    """Distances in units of that of two real showers of a condition, averaged over the batch.

    A distance in features has no scale: two real showers of a particle lie 0.000 to 0.011 apart on
    a fresh critic, a hundred times further later. In these units an inverse distance is bounded by
    1 / epsilon whatever the critic does. ``unit="none"`` is the literal form of the papers.
    """

    unit: Literal["real", "none"] = "real"
    epsilon: float = Field(default=0.1, gt=0)
    """Added to a distance that is divided by, in the same units (literal form: 1e-5)."""

    @property
    def columns(self) -> frozenset[str]:
        """Units take a second real shower of each particle."""
        return self.needs | ({"twin"} if self.unit == "real" else frozenset())

    def warnings(self, repeats: int, real_pairs: float) -> tuple[str, ...]:
        """Warns where no particle has two real showers to take the unit of."""
        if self.unit == "real" and real_pairs == 0:
            name = type(self).__name__
            return (f"{name}: no batch has two real showers of a particle: set data.repeats=2",)
        return ()

    def in_units(self, play: GanStep, distances: Tensor) -> Tensor:
        """Distances over the mean distance of real showers; as they are where it is 0.  (N,)"""
        if self.unit == "none":
            return distances
        mean = play.batch_mean(self.between_reals(play)).detach()
        return distances / torch.where(mean > 0, mean, 1.0)


class ModeSeeking(ScaledDistance):
    r"""Inverse of how far showers move when the latent moves.  (N,)

    .. math:: d_z(z_1, z_2) / (d_I(G(c, z_1), G(c, z_2)) + \epsilon)

    Reference: MS-GAN, arXiv:1903.05628, Eq. (4). Distances are averaged over the rows of a
    particle before the ratio: per pair, close pairs dominate and inflate consistent particles
    (docs/decisions/objectives.md); ``average="pair"`` is the literal form.
    """

    space: Literal["pixels", "features"] = "pixels"
    average: Literal["condition", "pair", "batch"] = "condition"
    """What distances are averaged over; ``batch``, as in the authors' code, cannot tell conditions
    apart: where all of them are pushed anyway it is the steadiest."""

    def generator(self, play: GanStep) -> Tensor:
        """Distance of latents over distance of showers.  (N,)"""
        latents = self.averaged(play, l1(play.z1, play.z2))
        distance = self.in_units(play, self.averaged(play, self.between_fakes(play)))
        return latents / (distance + self.epsilon)

    def averaged(self, play: GanStep, distances: Tensor) -> Tensor:
        """Distances as they are, or their means over a particle or the batch.  (N,) -> (N,)"""
        if self.average == "batch":
            return play.batch_mean(distances)
        return play.condition_mean(distances) if self.average == "condition" else distances


class SelectiveDiversity(ModeSeeking):
    r"""Mode seeking scaled by the spread of the real showers of this condition.  (N,)

    .. math:: f_{div}(c) \, d_z(z_1, z_2) / (d_I(G(c, z_1), G(c, z_2)) + \epsilon)

    Reference: SDI-GAN, arXiv:2207.01561, Eq. (4), distance in the critic's penultimate layer.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"spread"})
    space: Literal["pixels", "features"] = "features"

    def generator(self, play: GanStep) -> Tensor:
        """The weighted ratio; exactly 0 for a particle of the lowest spread.  (N,)"""
        return play.spread * super().generator(play)


class BalancedDiversity(ModeSeeking):
    r"""Mode seeking where fakes differ less than real showers do, the opposite where more.  (N,)

    .. math:: \tanh(d_I(x, x') - d_I(G(c, z_1), G(c, z_2))) \,
        d_z(z_1, z_2) / (d_I(G(c, z_1), G(c, z_2)) + \epsilon)

    Reference: DivBal-GAN (diversity balance on the ALICE ZDC); x, x' two real showers of c,
    distances in the critic's penultimate layer. With the gradient through tanh the term falls
    without end as fakes spread, wherever distances are small (docs/decisions/objectives.md):
    the sign is taken as a constant, ``balance="literal"`` is the other reading.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"twin"})
    space: Literal["pixels", "features"] = "features"
    balance: Literal["detached", "literal"] = "detached"

    def generator(self, play: GanStep) -> Tensor:
        """The balanced ratio.  (N,)"""
        missing = self.averaged(play, self.between_reals(play) - self.between_fakes(play))
        sign = torch.tanh(self.in_units(play, missing))
        sign = sign.detach() if self.balance == "detached" else sign
        return sign * super().generator(play)


class DiversitySensitive(ScaledDistance):
    r"""How far showers move per distance of latents, up to a bound.  (N,)

    .. math:: -\min(d_I(G(c, z_1), G(c, z_2)) / d_z(z_1, z_2), \tau)

    Reference: DS-GAN, arXiv:1901.09024, Eq. (2). Nothing is inverted, so pairs are taken as they
    come; ``bound`` (the paper's tau) must be near the answer for the term to stop there: in units
    of real distances, 1 over the mean distance of two latents, 2 / sqrt(pi).
    """

    space: Literal["pixels", "features"] = "pixels"
    bound: float = Field(default=0.9, gt=0)

    def generator(self, play: GanStep) -> Tensor:
        """Minus the bounded ratio.  (N,)"""
        distance = self.in_units(play, self.between_fakes(play))
        return -(distance / (l1(play.z1, play.z2) + self.epsilon)).clamp(max=self.bound)


class LogRatio(Distance):
    r"""Squared logarithm of how many times wider fakes spread than real showers do.  (N,)

    .. math:: \left( \log \frac{\overline{d_I}(G(c, z_1), G(c, z_2)) + \epsilon}
        {\overline{d_I}(x, x') + \epsilon} \right)^2

    Ours (docs/methods.md). Means over the rows of a particle come first and in equal numbers on
    both sides, so that the bias of a logarithm of a mean cancels but for showers that real pairs
    share. No scale: twice too wide costs
    what twice too narrow does, for any unit and any spread; 0 only where both agree. Where showers
    of a particle are all alike (dark ones, say) the plain ratio has no bound but epsilon: give a
    ``floor``.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"twin"})
    floor: float = Field(default=0.0, ge=0)
    """Part of the batch's mean real distance that is added to both distances."""

    def generator(self, play: GanStep) -> Tensor:
        """The same for all rows of a particle.  (N,)"""
        reals = play.condition_mean(self.between_reals(play))
        offset = self.epsilon + self.floor * play.batch_mean(reals)
        fakes = play.condition_mean(self.between_fakes(play))
        return ((fakes + offset) / (reals + offset)).log().square()


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
