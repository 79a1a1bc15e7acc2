"""Convolutions with weights of their own at each place, as Keras has and torch has not.

Shapes: N rows, I and O channels, images (nx, ny), P places of the output, M = I k k inputs a place.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class LocallyConnected(nn.Module):
    """``LocallyConnected2D`` of Keras.  (N, I, nx, ny) -> (N, O, mx, my)"""

    def __init__(
        self,
        shape: tuple[int, int],
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.shape = (
            (shape[0] + 2 * padding - kernel[0]) // stride[0] + 1,
            (shape[1] + 2 * padding - kernel[1]) // stride[1] + 1,
        )
        places, patch = self.shape[0] * self.shape[1], inputs * kernel[0] * kernel[1]
        # He's uniform law, as the authors': the variance is 2 over the inputs of a place.
        limit = sqrt(6 / patch)
        self.weight = nn.Parameter(torch.empty(places, patch, outputs).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.zeros(outputs, places)) if bias else None

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(pad(images, (self.padding,) * 4))
        # A product for each place: (P, N, M) x (P, M, O).
        outputs = torch.matmul(patches, self.weight).permute(1, 2, 0)
        outputs = outputs if self.bias is None else outputs + self.bias
        return outputs.reshape(-1, outputs.shape[1], *self.shape)

    def patches(self, images: Tensor) -> Tensor:
        """What each place sees.  (N, I, nx, ny) -> (P, N, M)"""
        (across, along), (step_x, step_y) = self.shape, self.stride
        shifted = [
            images[:, :, i : i + step_x * (across - 1) + 1 : step_x][
                :, :, :, j : j + step_y * (along - 1) + 1 : step_y
            ]
            for i in range(self.kernel[0])
            for j in range(self.kernel[1])
        ]
        stacked = torch.stack(shifted, dim=2).flatten(1, 2).flatten(2)
        return stacked.permute(2, 0, 1)
