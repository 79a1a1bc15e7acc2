"""Minibatch discrimination: each row is told how near the others of its batch are.

Shapes: N rows, M numbers of a row, A kernels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

KERNELS, DIMENSIONS = 10, 10
"""As in CaloGAN."""


class MinibatchDiscrimination(nn.Module):
    """sum_j exp(-|T x_i - T x_j|_1) for each kernel, through a tanh.  (N, M) -> (N, A)

    Salimans et al., arXiv:1606.03498, section 3.2. A row alone gets zeros: its own term, a
    constant, is left out. What a critic says of a row then depends on its batch.
    """

    def __init__(self, inputs: int, kernels: int = KERNELS) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, kernels * DIMENSIONS, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        places = self.project(rows).reshape(len(rows), -1, DIMENSIONS)
        # Not cdist: it has no second derivative, which a gradient penalty takes.
        apart = (places[:, None] - places[None, :]).abs().sum(dim=3)
        return torch.tanh(torch.exp(-apart).sum(dim=1) - 1)


__all__ = ["MinibatchDiscrimination"]
