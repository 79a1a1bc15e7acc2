"""A proper score of the conditional distribution, seen through many views of a shower.

Shapes: N = P x R rows, K cells, M numbers of a view.

A start for adversarial training: the generator's conditional means are those of real showers.

Shapes: N rows, M inputs of the critic.

A proper score of what neighbouring cells hold together.

Shapes: N = P x R rows, K cells, L layers, a layer of shape (nx, ny).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import avg_pool2d

from caloforge.errors import UsageError
from caloforge.objectives.core import GanStep, Term

Unit = Literal["batch", "particle", "neighbours"]
"""Whose mean distance of real to fake is the unit of a particle's score."""
NEIGHBOURS = 8


class EnergyScore(Term):
    r"""Multi-resolution conditional energy score.  (N,)

    For each particle with real showers y_j and fakes x_i, and each view v,

    .. math:: E|v(x) - v(y)| - \tfrac12 E|v(x) - v(x')|

    over the mean distance of real to fake. Strictly proper in every view: minimal only where the
    generated distribution of the view equals the real one for that condition, spread included
    (Gneiting and Raftery 2007, Eq. 22; docs/methods.md). One real shower per particle suffices
    with ``normalise="neighbours"``: a unit made of the one shower that it divides pulls it off its
    minimum. With a single fake (batches of one row a particle) it is the distance alone: no spread.
    """

    normalise: Unit = "particle"
    """Distances in units of the batch's real-to-fake distance, of the particle's own (where it has
    several different real showers), or of the particles nearest to it, its own left out."""
    views: tuple[str, ...] | None = None
    """Parts of the names of views that are used, such as ``cells``, ``blocks``; None: all."""

    def generator(self, play: GanStep) -> Tensor:
        """Sum of the scores of all views, the same for all rows of a particle.  (N,)"""
        fakes, reals = play.views(play.fake), play.views(play.rows.real)
        scores = [self.of_view(fakes[name], reals[name], play) for name in self.used(list(fakes))]
        return torch.stack(scores).mean(dim=0).repeat_interleave(play.rows.repeats)

    def warnings(self, repeats: int, real_pairs: float) -> tuple[str, ...]:
        """Warns where the score is not least at the real spread."""
        return unfit(type(self).__name__, self.normalise, repeats, real_pairs)

    def used(self, names: list[str]) -> list[str]:
        """The names that hold one of ``views``; raises UsageError when a part names none."""
        parts = [""] if self.views is None else self.views
        if missing := [part for part in parts if not any(part in name for name in names)]:
            raise UsageError(f"EnergyScore.views: no view {missing[0]}; of {', '.join(names)}")
        return [name for name in names if any(part in name for part in parts)]

    def of_view(self, fake: Tensor, real: Tensor, play: GanStep) -> Tensor:
        """Score of one view.  (N, M), (N, M) -> (P,)"""
        x, y = play.by_particle(fake), play.by_particle(real)
        across = torch.cdist(x, y).mean(dim=(1, 2))
        pairs = play.rows.repeats * (play.rows.repeats - 1)
        within = torch.cdist(x, x).sum(dim=(1, 2)) / max(pairs, 1)
        scale = unit(self.normalise, across.detach(), play)
        return (across - within / 2) / (scale + 1e-6)


def unfit(name: str, kind: Unit, repeats: int, real_pairs: float) -> tuple[str, ...]:
    """Why a score is not least at the real spread of a particle, if it is not."""
    if repeats < 2:
        return (f"{name} with one fake of a particle asks for no spread: set data.repeats=2",)
    if kind == "particle" and real_pairs == 0:
        setting = f"objective.{name}.normalise=neighbours"
        return (f"{name}: a unit made of the one shower of a particle is biased: set {setting}",)
    return ()


def unit(kind: Unit, across: Tensor, play: GanStep) -> Tensor:
    """What distances of each particle are divided by.  (P,) -> (P,)"""
    return UNITS[kind](across, play)


def of_neighbours(across: Tensor, play: GanStep) -> Tensor:
    """Mean over the particles of the batch nearest in conditions, the own one left out.  (P,)

    It knows neither the real shower nor the fakes of the particle, so that it weighs what it
    divides without bias.
    """
    if len(across) == 1:
        return across
    conditions = play.by_particle(play.rows.conditions)[:, 0]
    spread = conditions.std(dim=0, correction=0)
    # The mean of equal numbers is rounded: their deviation is not 0, their range is.
    varies = conditions.amax(dim=0) > conditions.amin(dim=0)
    scaled = (conditions - conditions[0]) / torch.where(varies, spread, 1)
    apart = torch.cdist(scaled, scaled)
    nearest = apart.fill_diagonal_(torch.inf).topk(min(NEIGHBOURS, len(across) - 1), largest=False)
    return across[nearest.indices].mean(dim=1)


UNITS: dict[Unit, Callable[[Tensor, GanStep], Tensor]] = {
    "batch": lambda across, play: across.mean(),
    "particle": lambda across, play: across,
    "neighbours": of_neighbours,
}


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


LEAST_SQUARE = 1e-6
"""Under the root, whose gradient at 0 is infinite."""


class LocalScore(Term):
    r"""Energy score of all patches of neighbouring cells, averaged over a layer.  (N,)

    For each particle with real showers y_j and fakes x_i,

    .. math:: E\,d(x, y) - \tfrac12 E\,d(x, x'), \qquad
        d(x, y) = \frac1{|B|} \sum_{B} \Big(\frac1{|B|_c}\sum_{k \in B} (x_k - y_k)^2\Big)^{1/2}

    over the mean d(x, y), with cells on the network scale and B all patches of ``sizes`` cells
    squared. Each patch adds a proper score (Gneiting and Raftery 2007, Eq. 22), with one cell
    the CRPS: the law of every cell, dark ones included, and with 3 x 3 its joint law with its
    neighbours. The norm of a whole image, as in ``EnergyScore``, hardly sees one cell.
    """

    sizes: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(default=(1, 3), min_length=1)
    normalise: Unit = "particle"
    """As in ``EnergyScore``."""

    def warnings(self, repeats: int, real_pairs: float) -> tuple[str, ...]:
        """As ``EnergyScore``."""
        return unfit(type(self).__name__, self.normalise, repeats, real_pairs)

    def generator(self, play: GanStep) -> Tensor:
        """Mean over layers and sizes, the same for all rows of a particle.  (N,)"""
        detector = play.views.detector
        fakes, reals = (detector.split(play.encode(s)) for s in (play.fake, play.rows.real))
        scores = [
            self.of_layer(play, fakes[layer.name], reals[layer.name], size)
            for layer in detector.layers
            for size in self.sizes
        ]
        return torch.stack(scores).mean(dim=0).repeat_interleave(play.rows.repeats)

    def of_layer(self, play: GanStep, fake: Tensor, real: Tensor, size: int) -> Tensor:
        """Score of the patches of one size.  (N, nx, ny), (N, nx, ny) -> (P,)"""
        x, y = play.by_particle(fake), play.by_particle(real)
        repeats = play.rows.repeats
        across = torch.stack([apart(x, y.roll(n, dims=1), size) for n in range(repeats)]).mean(0)
        # Shifts by n and by R - n meet the same pairs: half of them, the middle one once, suffice.
        shifts = {n: 1 if 2 * n == repeats else 2 for n in range(1, repeats // 2 + 1)}
        within = across.new_zeros(())
        for shift, times in shifts.items():
            within = within + times * apart(x, x.roll(shift, dims=1), size) / (repeats - 1)
        scale = unit(self.normalise, across.detach(), play)
        return (across - within / 2) / (scale + LEAST_SQUARE**0.5)


def apart(x: Tensor, y: Tensor, size: int) -> Tensor:
    """Mean distance of the patches of two showers, by particle.  2 x (P, R, nx, ny) -> (P,)"""
    kernel = (min(size, x.shape[2]), min(size, x.shape[3]))
    square = (x - y).square().flatten(0, 1)[:, None]
    distance = torch.sqrt(avg_pool2d(square, kernel, stride=1) + LEAST_SQUARE)
    return distance.mean(dim=(1, 2, 3)).reshape(len(x), -1).mean(dim=1)
