"""A proper score of what neighbouring cells hold together.

Shapes: N = P x R rows, K cells, L layers, a layer of shape (nx, ny).
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import avg_pool2d

from caloforge.errors import UsageError
from caloforge.objectives.core import GanStep, Term
from caloforge.objectives.score import Unit, unfit, unit

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

    sizes: tuple[Annotated[int, Field(le=1024)], ...] = Field(default=(1, 3), min_length=1)
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
        if size < 1:
            raise UsageError(f"LocalScore.sizes: a patch has one cell or more, not {size}")
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
