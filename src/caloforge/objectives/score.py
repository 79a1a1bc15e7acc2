"""A proper score of the conditional distribution, seen through many views of a shower.

Shapes: N = P x R rows, K cells, M numbers of a view.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from caloforge.objectives.core import Round, Term


class EnergyScore(Term):
    r"""Multi-resolution conditional energy score.  (N,)

    For each particle with real showers y_j and fakes x_i, and each view v,

    .. math:: E|v(x) - v(y)| - \tfrac12 E|v(x) - v(x')|

    over the mean real distance of the view. Strictly proper in every view: minimal only where the
    generated distribution of the view equals the real one for that condition, spread included
    (Gneiting and Raftery 2007, Eq. 22). One real shower per particle suffices.
    """

    normalise: Literal["batch", "particle"] = "particle"
    """Distances in units of the batch's, or of each particle's own, real-to-fake distance."""

    def generator(self, play: Round) -> Tensor:
        """Sum of the scores of all views, the same for all rows of a particle.  (N,)"""
        fakes, reals = play.views(play.fake), play.views(play.rows.real)
        scores = [self.of_view(fakes[name], reals[name], play) for name in fakes]
        return torch.stack(scores).mean(dim=0).repeat_interleave(play.rows.repeats)

    def of_view(self, fake: Tensor, real: Tensor, play: Round) -> Tensor:
        """Score of one view.  (N, M), (N, M) -> (P,)"""
        x, y = play.by_particle(fake), play.by_particle(real)
        across = torch.cdist(x, y).mean(dim=(1, 2))
        pairs = play.rows.repeats * (play.rows.repeats - 1)
        within = torch.cdist(x, x).sum(dim=(1, 2)) / max(pairs, 1)
        scale = across.detach()
        scale = scale if self.normalise == "particle" else scale.mean()
        return (across - within / 2) / (scale + 1e-6)
