"""Views of a shower at each resolution: pixels, block sums, channels, projections.

Shapes: N showers, K cells, M numbers of a view; a layer of shape (nx, ny).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from caloforge.detector import Detector, Layer
from caloforge.networks.scales import ResponseScale


class Views(nn.Module):
    """All views of a detector's showers, derived from its description alone.

    Cells are on the network scale; sums as square roots, which evens out Poisson noise.
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
        views = {"cells": self.scale.encode(showers)}
        views["channels"] = self.scale.steady(showers @ self.channels)
        for layer in self.detector.layers:
            image = self.detector.split(showers)[layer.name]
            for name, sums in blocks(image, layer):
                views[f"{layer.name}/{name}"] = self.scale.steady(sums)
        return views | self.of_deposits(showers)

    def of_deposits(self, showers: Tensor) -> dict[str, Tensor]:
        """What cells of energy show beside it; nothing of other detectors.  {view: (N, M)}"""
        if self.detector.counts or self.detector.signed:
            return {}
        views = {"total": self.scale.steady(showers.sum(dim=1, keepdim=True))}
        for layer in self.detector.layers:
            image = self.detector.split(showers)[layer.name] / self.scale.quantum
            for name, numbers in deposits(image):
                views[f"{layer.name}:{name}"] = numbers
        return views


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


FAINT = 0.03
"""Deposit, in quanta, that counts as half a lit cell."""


def deposits(image: Tensor) -> list[tuple[str, Tensor]]:
    """Logarithms of layer and projections, spectrum, lit cells, centre and width of a layer.

    (N, nx, ny) in quanta -> [(name, (N, M))]
    """
    along = [image.sum(dim=2), image.sum(dim=1)]
    centres, widths = zip(*(moments(profile) for profile in along), strict=True)
    return [
        ("log", torch.log1p(image.sum(dim=(1, 2)))[:, None]),
        ("log_along_x", torch.log1p(along[0])),
        ("log_along_y", torch.log1p(along[1])),
        ("spectrum", torch.log1p(image.flatten(1)).sort(dim=1, descending=True).values),
        ("lit", (image / (image + FAINT)).mean(dim=(1, 2))[:, None]),
        ("centre", torch.stack(centres, dim=1)),
        ("width", torch.stack(widths, dim=1)),
    ]


def moments(profile: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and width of a profile, in half widths of the layer.  (N, n) -> (N,), (N,)"""
    cells = profile.shape[1]
    place = (torch.arange(cells, device=profile.device, dtype=profile.dtype) + 0.5) * (
        2 / cells
    ) - 1
    total = profile.sum(dim=1) + 0.1
    centre = profile @ place / total
    variance = profile @ place.square() / total - centre.square()
    # The root has no gradient at 0, where all is in one cell.
    return centre, torch.sqrt(variance.clamp(min=0) + 1e-4)
