"""Images of layers: how critics and regressors read one, and what one layer passes to the next.

Learned in-painting attention carries an image to the next layer; a fixed blur smooths it.
Shapes: N rows, M numbers of a row; a layer of shape (nx, ny).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

CARRIED = -10.0
"""Bias of the carried image before the softmax: the network starts with its own."""


Convolution = Callable[[int, int, int], nn.Module]
"""Inputs, outputs and kernel; keeps the size of the image."""


def same_size(inputs: int, outputs: int, kernel: int) -> nn.Module:
    """An ordinary convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


class InPainting(nn.Module):
    """Own image and that of the layer before, weighed cell by cell.  (N, nx, ny)

    A 3x3 convolution of both gives two weights a cell, made to sum to 1 by a softmax. The bias of
    the carried image starts at -10, so that training starts with the own image (the
    in-painting of arXiv:1712.10321, section 4).
    """

    across: Tensor
    along: Tensor

    def __init__(
        self,
        before: tuple[int, int],
        after: tuple[int, int],
        convolution: Convolution = same_size,
    ) -> None:
        super().__init__()
        self.register_buffer("across", resampling(before[0], after[0]), persistent=False)
        self.register_buffer("along", resampling(before[1], after[1]).T, persistent=False)
        self.weigh = convolution(2, 2, 3)
        with torch.no_grad():
            bias = self.weigh.get_parameter("bias")
            bias.zero_()
            bias[1] = CARRIED

    def forward(self, own: Tensor, before: Tensor) -> Tensor:
        """(N, nx, ny), (N, mx, my) -> (N, nx, ny)"""
        carried = self.across @ before @ self.along
        both = torch.stack([own, carried], dim=1)
        return (torch.softmax(self.weigh(both), dim=1) * both).sum(dim=1)


def resampling(cells: int, new_cells: int) -> Tensor:
    """Mean of old cells in each new one, by the part of it that each covers.  (new_cells, cells)

    Upsampling, pooling, or both: 3 -> 12 repeats each cell four times, 96 -> 12 averages eight.
    """
    old, new = (np.linspace(0, 1, number + 1) for number in (cells, new_cells))
    upper = np.minimum(new[1:, None], old[None, 1:])
    lower = np.maximum(new[:-1, None], old[None, :-1])
    part = np.maximum(upper - lower, 0) * new_cells
    return torch.from_numpy(part.astype(np.float32))


class Blur(nn.Module):
    """Mean over 3 x 3 cells, zeros beside the layer; nothing is trained.  (N, nx, ny)

    The kernel 1 / (n m) of the Conditional CaloGAN, which its authors put on layer 1.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__()
        self.kernel = (min(3, 2 * shape[0] - 1), min(3, 2 * shape[1] - 1))

    def forward(self, image: Tensor) -> Tensor:
        """(N, nx, ny) -> (N, nx, ny)"""
        padding = (self.kernel[0] // 2, self.kernel[1] // 2)
        return avg_pool2d(image[:, None], self.kernel, 1, padding)[:, 0]


def strided_encoder(shape: tuple[int, int]) -> nn.Sequential:
    """Reads one layer's image down to an eighth of its resolution.  (N, 1, nx, ny) -> (N, M)"""
    layers: list[nn.Module] = []
    channels = 1
    for wider, size in ((16, 4), (32, 4), (64, 3)):
        # A layer may be a few cells wide only: the kernel is never wider than what it reads.
        kernel = (min(size, shape[0] + 2), min(size, shape[1] + 2))
        # On images one cell wide oneDNN (torch 2.13) gave gradients of a stride of 2 that are NaN.
        stride = (2 if shape[0] >= 4 else 1, 2 if shape[1] >= 4 else 1)
        layers += [nn.Conv2d(channels, wider, kernel, stride=stride, padding=1), nn.LeakyReLU(0.2)]
        shape = (
            (shape[0] + 2 - kernel[0]) // stride[0] + 1,
            (shape[1] + 2 - kernel[1]) // stride[1] + 1,
        )
        channels = wider
    return nn.Sequential(*layers, nn.Flatten())


def authors_block(normalisation: nn.Module) -> tuple[nn.Module, ...]:
    """The order that the public codes use after each layer."""
    return normalisation, nn.Dropout(0.2), nn.LeakyReLU(0.1)
