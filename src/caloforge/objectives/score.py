"""A proper score of the conditional distribution, seen through many views of a shower.

Shapes: N = P x R rows, K cells, M numbers of a view.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

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
    scaled = conditions / torch.where(spread > 0, spread, 1)
    apart = torch.cdist(scaled, scaled)
    nearest = apart.fill_diagonal_(torch.inf).topk(min(NEIGHBOURS, len(across) - 1), largest=False)
    return across[nearest.indices].mean(dim=1)


UNITS: dict[Unit, Callable[[Tensor, GanStep], Tensor]] = {
    "batch": lambda across, play: across.mean(),
    "particle": lambda across, play: across,
    "neighbours": of_neighbours,
}
