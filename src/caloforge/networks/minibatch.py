"""Minibatch discrimination: how near the other rows of its batch are to each row.

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
