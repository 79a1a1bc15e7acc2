"""How critics and regressors read the image of a layer.

Shapes: N rows, M numbers of a row.
"""

from __future__ import annotations

from torch import nn


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
