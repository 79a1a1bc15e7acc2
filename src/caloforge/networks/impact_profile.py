"""One layer drawn cell by cell: profiles around the point where the particle hits it.

Shapes: N rows, Z latents, F features, T numbers of the trunk, K profiles, a layer of
(nx, ny) cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, softplus

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector, Layer

WIDTHS_CELLS = (0.3, 0.3, 0.6, 0.6, 1.2, 2.4, 4.8, 9.6)
"""Scales of the logistic profiles; two of the narrow ones, since a core may split."""
FARTHEST = 40.0
"""Widths from the impact: what is left there, 10^-17, is the same further out."""
LEAST_SHARE = 1e-6
"""Added to what a cell holds: a correction can make light far from the impact, too."""


class ImpactPoint(nn.Module):
    """Point of impact on a layer, in cells from its corner.  (N, F) -> (N, 2)

    The middle of the layer along an axis for which the features have no point of impact.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, detector: Detector, scaling: FeatureScaling, layer: Layer) -> None:
        super().__init__()
        columns = impact_columns(detector, scaling)
        cells_of_cm = {axis: 10 / size for axis, size in zip("xy", layer.cell_mm, strict=True)}
        self.columns = [columns.get(axis, 0) for axis in "xy"]
        scale = [
            scaling.std[columns[axis]] * cells_of_cm[axis] if axis in columns else 0.0
            for axis in "xy"
        ]
        offset = [
            cells / 2 + (scaling.mean[columns[axis]] * cells_of_cm[axis] if axis in columns else 0)
            for axis, cells in zip("xy", layer.shape, strict=True)
        ]
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float32))

    def forward(self, features: Tensor) -> Tensor:
        return features[:, self.columns] * self.scale + self.offset


def impact_columns(detector: Detector, scaling: FeatureScaling) -> dict[str, int]:
    """Number of the feature that is the point of impact along each axis that has one.

    The first along an axis, but one that knows the dispersion by magnets before one that does not.
    """
    axes = {condition.name: condition.axis for condition in detector.conditions}
    columns: dict[str, int] = {}
    impacts = [(n, f) for n, f in enumerate(scaling.features) if f.kind == "impact"]
    for number, feature in sorted(impacts, key=lambda impact: impact[1].dispersion is None):
        axis = axes.get(feature.of[0])
        if axis is not None:
            columns.setdefault(axis, number)
    return columns


class ImpactProfile(nn.Module):
    """A mixture of logistic profiles around the impact.  (N, F), (N, T) -> (N, nx ny)

    Weights and shifts of the profiles follow from the trunk, hence from latents too: a shower may
    start beside the impact. A profile is a product of one along x and one along y, integrated over
    the cells. Both axes are computed at once: for one shower the number of operations is the time.
    """

    widths: Tensor
    sinh: Tensor
    cosh: Tensor
    middles: Tensor
    axes: Tensor

    def __init__(
        self, detector: Detector, scaling: FeatureScaling, layer: Layer, trunk: int
    ) -> None:
        super().__init__()
        self.impact = ImpactPoint(detector, scaling, layer)
        self.shape = layer.shape
        widths = torch.tensor(WIDTHS_CELLS)
        middles = torch.cat([torch.arange(cells) + 0.5 for cells in layer.shape])
        constants = {
            "widths": widths,
            # One number for each cell, too: a short row is slow to repeat.
            "sinh": 2 * torch.sinh(0.5 / widths).expand(len(middles), -1),
            "cosh": 2 * torch.cosh(0.5 / widths).expand(len(middles), -1),
            "middles": middles[:, None] / widths,
            "axes": torch.tensor([0, 1]).repeat_interleave(torch.tensor(layer.shape)),
        }
        for name, constant in constants.items():
            self.register_buffer(name, constant, persistent=False)
        self.mixture = nn.Linear(trunk, 3 * len(WIDTHS_CELLS))

    def forward(self, features: Tensor, trunk: Tensor) -> Tensor:
        point = self.impact(features)
        profiles = len(WIDTHS_CELLS)
        mixture = self.mixture(trunk).to(point.dtype).reshape(-1, 3, profiles)
        weights = torch.softmax(mixture[:, :1], dim=2)
        shares = self.shares(point, mixture[:, 1:])
        along_x, along_y = shares[:, : self.shape[0]], shares[:, self.shape[0] :]
        cells = (weights * along_x) @ along_y.transpose(1, 2)
        return (cells + LEAST_SHARE).flatten(1)

    def shares(self, point: Tensor, shifts: Tensor) -> Tensor:
        r"""Shares of cells along x, then along y.  (N, 2), (N, 2, K) -> (N, nx + ny, K)

        .. math:: \sigma(u + h) - \sigma(u - h) = \frac{2 \sinh(h)}{e^u + e^{-u} + 2 \cosh(h)}

        for a cell 2 h wide at u, in units of the width: exact far from the impact, too.
        """
        origin = point[:, :, None] / self.widths + shifts
        distance = (self.middles - origin[:, self.axes]).clamp(-FARTHEST, FARTHEST)
        rising = torch.exp(distance)
        return self.sinh * rising / (rising * (rising + self.cosh) + 1)


TRUNK = 128
"""Numbers of the trunk that all layers share."""
CHANNELS = 16
WIDTHS = (0.02, 0.08, 0.3)
"""Widths of a shower to begin with, in half widths of the layer."""


class CellStream(nn.Module):
    """One layer: profiles around an axis, and noise, seen cell by cell.  -> (N, nx, ny)

    What a cell holds depends on where it is relative to the shower's axis. The network says
    where the axis is and how wide the shower, and convolutions see, for each cell, the logarithm
    of the integral of logistic profiles over it: narrow cores need no fine cells. Each cell adds
    noise of its own with one width below and another above, so that showers end in single
    deposits and dark cells as real ones do.
    """

    x: Tensor
    y: Tensor

    def __init__(self, layer: Layer, inputs: int, latent: int) -> None:
        super().__init__()
        self.shape = layer.shape
        self.register_buffer("x", middles(layer.shape[0]), persistent=False)
        self.register_buffer("y", middles(layer.shape[1]), persistent=False)
        self.axis = nn.Linear(inputs, 2)
        self.widths = nn.Linear(TRUNK, 2 * len(WIDTHS))
        self.noise = nn.Linear(latent, 2 * layer.cells, bias=False)
        self.profile = nn.Conv2d(len(WIDTHS), CHANNELS, 1)
        self.near = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.told = nn.ModuleList(nn.Linear(TRUNK, CHANNELS) for _ in range(2))
        self.stirred = nn.ModuleList(nn.Conv2d(2, CHANNELS, 1, bias=False) for _ in range(2))
        self.law = nn.Conv2d(CHANNELS, 3, 1)
        self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        self.axis.weight.mul_(0.3)
        self.widths.weight.mul_(0.3)
        self.widths.bias.copy_(torch.tensor(WIDTHS * 2).log())
        nn.init.normal_(self.noise.weight, std=self.noise.in_features**-0.5)

    def forward(self, inputs: Tensor, trunk: Tensor, latent: Tensor) -> Tensor:
        """Cells on a log scale, dark where negative.  (N, Z + F), (N, T), (N, Z)"""
        noise = self.noise(latent).reshape(-1, 2, *self.shape)
        hidden = self.profile(self.profiles(inputs, trunk))
        for number, (condition, stirred) in enumerate(zip(self.told, self.stirred, strict=True)):
            hidden = self.near(hidden) if number else hidden
            hidden = hidden + condition(trunk)[:, :, None, None] + stirred(noise)
            hidden = leaky_relu(hidden, 0.2)
        middle, above, below = self.law(hidden).unbind(dim=1)
        own = noise[:, 1]
        spread = softplus(above) * torch.relu(own) - softplus(below) * torch.relu(-own)
        return middle + spread

    def profiles(self, inputs: Tensor, trunk: Tensor) -> Tensor:
        """Logarithms of the parts of logistic showers in each cell.  (N, widths, nx, ny)"""
        axis = 1.2 * torch.tanh(self.axis(inputs))
        widths = self.widths(trunk).clamp(-6, 2).exp()
        along_x, along_y = widths.split(len(WIDTHS), dim=1)
        part_x = log_part(self.x, axis[:, :1], along_x, 1 / self.shape[0])
        part_y = log_part(self.y, axis[:, 1:], along_y, 1 / self.shape[1])
        # A fifth: cells a few widths away are then of order one.
        return (part_x[:, :, :, None] + part_y[:, :, None, :]) / 5


def middles(cells: int) -> Tensor:
    """Middles of cells from -1 to 1.  (cells,)"""
    return (torch.arange(cells) + 0.5) * (2 / cells) - 1


def log_part(middle: Tensor, axis: Tensor, width: Tensor, half: float) -> Tensor:
    r"""Logarithm of the part of a logistic distribution within each cell.  (N, widths, cells)

    .. math:: \log(\sigma(b) - \sigma(a)) = \log\sigma(b) + \log\sigma(-a) + \log(1 - e^{a - b})
    """
    width = width[:, :, None]
    place = middle[None, None, :] - axis[:, :, None]
    upper, lower = (place + half) / width, (place - half) / width
    return torch.log(1 - torch.exp(-2 * half / width)) - softplus(-upper) - softplus(lower)
