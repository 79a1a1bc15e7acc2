"""What every critic is: what it sees of a shower, what it knows of the conditions, its output.

Shapes: N rows, K cells, C conditions, V numbers of a view, F features.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class CriticOutput(NamedTuple):
    """The logit of being real, and the penultimate features."""

    logit: Tensor
    """(N,)"""
    features: Tensor
    """(N, F)"""


class Critic(nn.Module):
    """A critic in three steps, so that a penalty can act on its slope where it looks.

    Gradients in cells pass through sums of hundreds of them; gradients in the view do not. A
    subclass defines ``view`` and ``judge``, and ``condition`` where several passes can share it.
    """

    blocks: tuple[int, ...] = ()
    """Numbers of each part of a view, for terms that weigh parts equally; empty: one part."""
    compares_rows = False
    """Whether what it says of a row depends on the rows beside it."""

    def view(self, showers: Tensor, conditions: Tensor) -> Tensor:
        """What the critic sees of a shower of these conditions, without weights of its own.

        (N, K), (N, C) -> (N, V)
        """
        raise NotImplementedError

    def condition(self, conditions: Tensor) -> Tensor:
        """What the critic makes of the conditions, the same for all showers.  (N, C) -> (N, M)"""
        return conditions

    def judge(self, view: Tensor, condition: Tensor) -> CriticOutput:
        """Logit and features.  (N, V), (N, M) -> (N,)"""
        raise NotImplementedError

    def forward(self, showers: Tensor, conditions: Tensor) -> CriticOutput:
        return self.judge(self.view(showers, conditions), self.condition(conditions))
