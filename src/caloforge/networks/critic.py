"""What every critic is: what it sees of a shower, what it knows of the conditions, its output.

Shapes: N rows, K cells, C conditions, V numbers of a view, F features; for minibatch discrimination
(how near the other rows of a batch are) M numbers of a row, A kernels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
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
    """Set by a critic that compares the rows of a batch; layers that do so are detected."""

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


KERNELS, DIMENSIONS = 10, 10
"""As in CaloGAN."""


class MinibatchDiscrimination(nn.Module):
    """sum_j exp(-|T x_i - T x_j|_1) for each kernel, through a tanh.  (N, M) -> (N, A)

    Salimans et al., arXiv:1606.03498, section 3.2. A row alone gets zeros: its own term, a
    constant, is left out. What a critic says of a row then depends on its batch.

    ``mean`` divides by the number of other rows in place of the tanh. A tanh of a sum over 64 rows
    is above 0.99 as soon as the mean is above 0.05, and then has no gradient.
    """

    def __init__(self, inputs: int, kernels: int = KERNELS, *, mean: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.project = nn.Linear(inputs, kernels * DIMENSIONS, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        places = self.project(rows).reshape(len(rows), -1, DIMENSIONS)
        # Not cdist: it has no second derivative, which a gradient penalty takes.
        apart = (places[:, None] - places[None, :]).abs().sum(dim=3)
        near = torch.exp(-apart).sum(dim=1) - 1
        return near / max(len(rows) - 1, 1) if self.mean else torch.tanh(near)


def compares_rows(critic: nn.Module) -> bool:
    """Whether what a critic says of a row depends on the rows beside it.

    So do statistics of a batch and minibatch discrimination, in any critic, and what a critic
    declares of itself. Real and fake rows in one pass would then mix.
    """
    layers = (nn.modules.batchnorm._BatchNorm, MinibatchDiscrimination)
    declared = bool(getattr(critic, "compares_rows", False))
    return declared or any(isinstance(layer, layers) for layer in critic.modules())
