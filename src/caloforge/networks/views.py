"""What can be seen of a shower at each resolution: pixels, block sums, channels, projections.

Shapes: N showers, K cells, M numbers of a view.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from caloforge.detector import Detector, Layer
from caloforge.networks.scales import ResponseScale


class Views(nn.Module):
    """All views of a detector's showers, derived from its description alone.

    Cells are seen on the network scale; sums as square roots, which evens out Poisson noise.
    """

    channels: Tensor

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector
        self.scale = ResponseScale(detector)
        matrix = torch.from_numpy(detector.scheme().matrix)
        self.register_buffer("channels", matrix, persistent=False)

    def forward(self, showers: Tensor) -> dict[str, Tensor]:
        """Every view by name.  (N, K) -> {view: (N, M)}"""
        seen = {"cells": self.scale.encode(showers)}
        seen["channels"] = self.scale.steady(showers @ self.channels)
        for layer in self.detector.layers:
            image = self.detector.split(showers)[layer.name]
            for name, sums in blocks(image, layer):
                seen[f"{layer.name}/{name}"] = self.scale.steady(sums)
        return seen


def blocks(image: Tensor, layer: Layer) -> list[tuple[str, Tensor]]:
    """Sums over blocks of 2, 4, 8, ... cells up to the whole layer, and the two projections.

    (N, nx, ny) -> [(name, (N, M))]
    """
    sums = [("along_x", image.sum(dim=2)), ("along_y", image.sum(dim=1))]
    size = 2
    while size < 2 * max(layer.shape):
        kernel = (min(size, layer.shape[0]), min(size, layer.shape[1]))
        pooled = avg_pool2d(image[:, None], kernel, ceil_mode=True, divisor_override=1)
        sums.append((f"blocks_{size}", pooled.flatten(1)))
        size *= 2
    return sums
