"""What a critic sees of a shower: cells, sums at each resolution, statistics in real units.

Shapes: N rows, K cells, C conditions, F features of them, L layers, S statistics, M numbers of a
view of counts (pixels, block sums, channels, projections), V = S + 2 K numbers of a view of layers;
a layer of shape (nx, ny).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector, Layer
from caloforge.errors import UsageError
from caloforge.networks.scaling import ConditionScale, ResponseScale
from caloforge.networks.sparsity import Form, occupancy


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


HOTTEST = 6
"""Cells of a layer that are seen in falling order."""
LEAST_DEVIATION, LEAST_RESOLUTION = 0.02, 1e-4
"""Of a statistic, and of the total: one that hardly varies would count thousands of units."""
DARK = 0.01
"""Quanta in a shower without any, whose logarithm is finite then."""
RIDGE = 10.0
"""Added to the sums of squares of about a thousand rows of standardised features."""


class StandardisedInputs(nn.Module):
    r"""Statistics of a shower in units of real showers, and its cells.  (N, V)

    Statistics: the total over the incident energy; energy and centre of each layer relative to a
    linear fit of real showers to the features of the conditions; width, hottest cells, lit cells
    and both projections of each layer; soft sparsity. Energies are on a log scale. A statistic u,
    with mean 0 and deviation 1 over real showers, is seen as
    :math:`\mathrm{sign}(u) \log(1 + |u|)`, so that an impossible shower does not drown the others.

    Cells: logarithm less its mean in the layer, and the soft occupancy 2 x / (x + 0.03) - 1 of
    x = cell over quantum, which separates a dark cell from a faint one. They are not divided by
    their deviation: the noise of a layer that holds a thousandth would count as much as a core.
    """

    expected_weight: Tensor
    mean: Tensor
    deviation: Tensor
    cell_mean: Tensor

    def __init__(self, detector: Detector, scaling: FeatureScaling, occupied: Form | None) -> None:
        super().__init__()
        if detector.signed:
            raise UsageError(f"{detector.name} has cells of any sign: set critic.kind=mlp")
        self.detector, self.occupied = detector, occupied
        self.quantum = ResponseScale(detector).quantum
        layers = detector.layers
        self.conditions = ConditionScale(detector, scaling)
        names = {name for feature in scaling.features for name in feature.of}
        self.energy = detector.column(detector.energy) if detector.energy in names else None
        self.statistics = sum(6 + min(HOTTEST, one.cells) + sum(one.shape) for one in layers)
        self.statistics += (self.energy is not None) + (len(layers) if occupied else 0)
        self.sizes = (self.statistics, *(2 * layer.cells for layer in layers))
        self.register_buffer(
            "expected_weight", torch.zeros(self.conditions.size + 1, 3 * len(layers))
        )
        self.register_buffer("mean", torch.zeros(self.statistics))
        self.register_buffer("deviation", torch.ones(self.statistics))
        self.register_buffer("cell_mean", torch.zeros(len(layers)))

    @torch.no_grad()
    def fit(self, showers: Tensor, conditions: Tensor) -> None:
        """Take the units from real showers.  (n, K), (n, C)"""
        images, features = self.images(showers), self.with_one(conditions)
        squares = features.T @ features
        squares.diagonal()[:-1] += RIDGE
        related = torch.cat([energy_and_centre(image) for image in images], dim=1)
        self.expected_weight.copy_(torch.linalg.solve(squares, features.T @ related))
        statistics = self.statistics_of(showers, conditions)
        self.mean.copy_(statistics.mean(dim=0))
        least = torch.full_like(self.mean, LEAST_DEVIATION)
        least[: self.energy is not None] = LEAST_RESOLUTION
        self.deviation.copy_(torch.maximum(statistics.std(dim=0, correction=0), least))
        self.cell_mean.copy_(torch.stack([torch.log1p(image).mean() for image in images]))

    def forward(self, showers: Tensor, conditions: Tensor) -> Tensor:
        off = (self.statistics_of(showers, conditions) - self.mean) / self.deviation
        parts = [torch.sign(off) * torch.log1p(off.abs())]
        for image, mean in zip(self.images(showers), self.cell_mean, strict=True):
            flat = image.flatten(1)
            parts += [torch.log1p(flat) - mean, 2 * lit(flat) - 1]
        return torch.cat(parts, dim=1)

    def split(self, view: Tensor) -> list[Tensor]:
        """Statistics, and two images of each layer.  (N, V) -> [(N, S), (N, 2, nx, ny) ...]"""
        statistics, *flat = torch.split(view, list(self.sizes), dim=1)
        shapes = [layer.shape for layer in self.detector.layers]
        images = (f.reshape(-1, 2, *shape) for f, shape in zip(flat, shapes, strict=True))
        return [statistics, *images]

    def images(self, showers: Tensor) -> list[Tensor]:
        """Layers in units of the quantum.  (N, K) -> [(N, nx, ny)]"""
        return list(self.detector.split(showers / self.quantum).values())

    def statistics_of(self, showers: Tensor, conditions: Tensor) -> Tensor:
        """Statistics in their own units.  (N, K), (N, C) -> (N, S)"""
        images = self.images(showers)
        related = torch.cat([energy_and_centre(image) for image in images], dim=1)
        parts = [related - self.with_one(conditions) @ self.expected_weight]
        parts += [numbers for image in images for numbers in shape_statistics(image)]
        if self.energy is not None:
            total = showers.sum(dim=1, keepdim=True) + DARK * self.quantum
            parts.insert(0, torch.log(total / conditions[:, self.energy, None]))
        if self.occupied:
            parts.append(occupancy(self.detector, showers, self.occupied))
        return torch.cat(parts, dim=1)

    def with_one(self, conditions: Tensor) -> Tensor:
        """Features of the conditions and a constant.  (N, C) -> (N, F + 1)"""
        features: Tensor = self.conditions(conditions)
        return torch.cat([features, torch.ones_like(features[:, :1])], dim=1)


def energy_and_centre(image: Tensor) -> Tensor:
    """Logarithm of the energy, centre in half widths of the layer.  (N, nx, ny) -> (N, 3)"""
    centres = [moments(image.sum(dim=axis))[0] for axis in (2, 1)]
    return torch.stack([torch.log1p(image.sum(dim=(1, 2))), *centres], dim=1)


def shape_statistics(image: Tensor) -> list[Tensor]:
    """Width, hottest cells, lit cells, projections.  (N, nx, ny) -> [(N, m)]"""
    flat, along = image.flatten(1), [image.sum(dim=2), image.sum(dim=1)]
    hottest = flat.topk(min(HOTTEST, flat.shape[1]), dim=1).values
    return [
        torch.stack([moments(profile)[1] for profile in along], dim=1),
        torch.log1p(hottest),
        lit(flat).mean(dim=1, keepdim=True),
        *(torch.log1p(profile) for profile in along),
    ]


def lit(cells: Tensor) -> Tensor:
    """Soft occupancy of cells over the quantum, from 0 to 1.  any shape"""
    return cells / (cells + FAINT)
