"""Terms of the proton paper: the light of a shower, and where it falls.

Shapes: N rows, K cells.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.networks.regressors import RegressorKind, cell_numbers, regressor
from caloforge.objectives.agreement import Agreement, Numbers, squared
from caloforge.objectives.core import GanStep, Player


class Intensity(Agreement):
    r"""Total of a fake against that of the real shower of its row.  (N,)

    .. math:: \left| \sum_i G(z, c)_i - \sum_i x_i \right|

    Reference: arXiv:2406.03263, the intensity loss. In quanta (counts for the ZDC), or in
    ln(1 + total). An empty shower has a total of 0 like any other.
    """

    scale: Literal["counts", "log"] = "counts"

    def generator(self, play: GanStep) -> Tensor:
        """Distance of the totals; linear in their difference by default.  (N,)"""
        return self.between(play, self.numbers(play, play.fake), self.numbers(play, play.rows.real))

    def numbers(self, play: GanStep, showers: Tensor) -> Numbers:
        """Total of each shower.  (N, K) -> (N, 1)"""
        total = showers.sum(dim=1, keepdim=True)
        values = play.encode(total) if self.scale == "log" else total / play.views.scale.quantum
        return Numbers(values, torch.ones_like(values[:, 0], dtype=torch.bool))


class ShowerCentre(Agreement):
    r"""Centre of a fake against that of the real shower of its row.  (N,)

    .. math:: \| A(G(z, c)) - A(x) \|^2, \qquad \min_A \| A(x) - p(x) \|^2

    p is the hottest cell, which has no gradient; the regressor A learns it. Reference:
    arXiv:2406.03263, the auxiliary regressor. Trained on real showers, A reads both sides alike,
    so that its own errors pull nowhere. ``learns="fake"`` is the paper: A sees fakes alone, and
    they are held against p(x). ``of="mass"`` takes the centre of mass, which needs no regressor.
    Squared cells (4 mm wide in ZN and ZP), or mm^2. A row whose fake or real shower is empty has
    no centre and counts 0.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"peak"})
    distance: Literal["absolute", "squared", "moments"] = "squared"
    of: Literal["peak", "mass"] = "peak"
    learns: Literal["real", "fake"] = "real"
    unit: Literal["cells", "mm"] = "cells"
    regressor: RegressorKind = "light"

    def network(self, detector: Detector) -> nn.Module | None:
        """The regressor; UsageError for a detector whose showers have no one centre."""
        if detector.signed or len(detector.layers) > 1:
            raise UsageError(
                f"ShowerCentre reads one layer of cells; {detector.name} has another kind"
            )
        return None if self.of == "mass" else regressor(self.regressor, detector)

    def plays(self, player: Player) -> bool:
        """True where the term has a share for the player; a centre of mass trains nobody."""
        return super().plays(player) and not (player == "helper" and self.of == "mass")

    def generator(self, play: GanStep) -> Tensor:
        """Distance of the centres.  (N,)"""
        return self.between(play, self.numbers(play, play.fake), self.target(play))

    def helper(self, play: GanStep) -> Tensor | None:
        """Squared error of the regressor in the hottest cell of the real shower.  (N,)"""
        if self.of == "mass":
            return None
        showers = play.rows.real if self.learns == "real" else play.fake
        return squared(play, self.numbers(play, showers), self.hottest(play))

    def target(self, play: GanStep) -> Numbers:
        """Centre of the real shower, read as that of fakes; the paper: its hottest cell.  (N, 2)"""
        if self.of == "peak" and self.learns == "fake":
            return self.hottest(play)
        return self.numbers(play, play.rows.real)

    def hottest(self, play: GanStep) -> Numbers:
        """Hottest cell of the real shower.  (N, 2)"""
        return Numbers(play.peak * self.pitch(play), play.rows.real.any(dim=1))

    def numbers(self, play: GanStep, showers: Tensor) -> Numbers:
        """Centre by the regressor, or of mass.  (N, K) -> (N, 2)"""
        if self.of == "peak":
            cells = play.ask(self, showers)
        else:
            cells = showers @ cell_numbers(play.views.detector).to(showers)
            cells = cells / torch.where(showers.any(dim=1), showers.sum(dim=1), 1.0)[:, None]
        return Numbers(cells * self.pitch(play), showers.any(dim=1))

    def pitch(self, play: GanStep) -> Tensor:
        """What a step of one cell is in the unit of the term.  (2,)"""
        (layer,) = play.views.detector.layers
        return play.rows.real.new_tensor(layer.cell_mm if self.unit == "mm" else (1.0, 1.0))
