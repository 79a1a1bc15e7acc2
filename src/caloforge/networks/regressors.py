"""Regressors: where is the hottest cell of a shower, and which particle made it?

Shapes: N rows, C conditions, K cells (of one layer (nx, ny) for positions, cell numbers [x, y]).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from caloforge.detector import Detector
from caloforge.networks.layer_images import authors_block
from caloforge.networks.scaling import ResponseScale

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
