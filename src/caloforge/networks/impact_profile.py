"""Profiles of a shower around the point where the particle hits a layer.

Shapes: N rows, F features, T numbers of the trunk, K profiles, a layer of (nx, ny) cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caloforge.data.scaling import FeatureScaling
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
