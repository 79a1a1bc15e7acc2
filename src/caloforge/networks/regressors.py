"""Regressors: where is the hottest cell of a shower, and which particle made it?

Shapes: N rows, C conditions, K cells (of one layer (nx, ny) for positions, cell numbers [x, y]).

From layer to layer: learned in-painting attention, and a fixed blur.

Shapes: N rows; a layer of shape (nx, ny).

How critics and regressors read the image of a layer.

Shapes: N rows, M numbers of a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from caloforge.detector import Detector
from caloforge.networks.shower_inputs import ResponseScale

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


RegressorKind = Literal["light", "reference"]


def regressor(kind: RegressorKind, detector: Detector) -> nn.Module:
    """The regressor of that kind for a detector of one layer."""
    return REGRESSORS[kind](detector)


def cell_numbers(detector: Detector) -> Tensor:
    """Cell numbers [x, y] of the cells of one layer.  (K, 2)"""
    (layer,) = detector.layers
    places = np.indices(layer.shape, dtype=np.float32).reshape(2, -1).T
    return torch.from_numpy(np.ascontiguousarray(places))


class SoftPeak(nn.Module):
    """Mean cell number under a softmax over cells that convolutions heat.  (N, K) -> (N, 2)

    It never leaves the front face, and what it learns of a cell holds for all cells. Rows are
    independent, as no normalisation mixes them.
    """

    places: Tensor

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.scale = ResponseScale(detector)
        self.shape = detector.layers[0].shape
        self.heat = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3, padding=1)
        )
        self.register_buffer("places", cell_numbers(detector), persistent=False)

    def forward(self, showers: Tensor) -> Tensor:
        image = self.scale.encode(showers).reshape(-1, 1, *self.shape)
        return torch.softmax(self.heat(image).flatten(1), dim=1) @ self.places


class ReferenceRegressor(nn.Module):
    """The authors' regressor: four 3x3 convolutions, a dense layer of 2.  (N, K) -> (N, 2)

    Public code of arXiv:2406.03263 for the 56 x 30 fibres of the ZP.
    """

    POOLS = ((2, 2), (2, 1), (2, 1), (1, 1))
    """After each of the convolutions."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.scale = ResponseScale(detector)
        self.shape = detector.layers[0].shape
        layers: list[nn.Module] = []
        for inputs, wider, pool in zip(
            (1, 32, 64, 128), (32, 64, 128, 256), self.POOLS, strict=True
        ):
            layers += [nn.Conv2d(inputs, wider, 3), *authors_block(nn.BatchNorm2d(wider))]
            layers += [nn.MaxPool2d(pool)] if pool != (1, 1) else []
        self.see = nn.Sequential(*layers, nn.Flatten())
        inputs = self.see(torch.zeros(2, 1, *self.shape)).shape[1]
        self.position = nn.Linear(inputs, 2)

    def forward(self, showers: Tensor) -> Tensor:
        image = self.scale.encode(showers).reshape(-1, 1, *self.shape)
        return self.position(self.see(image))


REGRESSORS: dict[str, type[nn.Module]] = {"light": SoftPeak, "reference": ReferenceRegressor}


AttributeKind = Literal["light", "reference"]


class AttributeRegressor(nn.Sequential):
    """Cells on the network scale through dense layers: standardised conditions.  (N, K) -> (N, C)

    ``reference``: widths and dropout of the Conditional CaloGAN (arXiv:1711.08813), which reads raw
    cells and shares nothing with its critic.
    """

    def __init__(self, detector: Detector, layers: tuple[tuple[int, float], ...]) -> None:
        parts: list[nn.Module] = [Encoded(detector)]
        inputs = detector.cells
        for width, dropout in layers:
            parts += [nn.Linear(inputs, width), nn.LeakyReLU(0.2)]
            parts += [nn.Dropout(dropout)] if dropout else []
            inputs = width
        super().__init__(*parts, nn.Linear(inputs, len(detector.columns)))


class Encoded(nn.Module):
    """Cells on the network scale.  (N, K) -> (N, K)"""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.scale = ResponseScale(detector)

    def forward(self, showers: Tensor) -> Tensor:
        return self.scale.encode(showers)


ATTRIBUTE_LAYERS: dict[AttributeKind, tuple[tuple[int, float], ...]] = {
    "light": ((128, 0.0), (64, 0.0)),
    "reference": ((512, 0.2), (1024, 0.5), (1024, 0.5), (128, 0.0)),
}
"""Width of each layer, and dropout after it."""


def attribute_regressor(kind: AttributeKind, detector: Detector) -> nn.Module:
    """The regressor of that kind for any detector."""
    return AttributeRegressor(detector, ATTRIBUTE_LAYERS[kind])
