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
LEAST_SHARE = 1e-6
"""Added to what a cell holds, so that its logarithm stays finite far from the impact."""


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
        point: Tensor = features[:, self.columns] * self.scale + self.offset
        return point


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
    """Logarithm of a mixture of logistic profiles around the impact.  (N, F), (N, T) -> (N, nx ny)

    Weights and shifts of the profiles follow from the trunk, hence from latents too: a shower may
    start beside the impact. A profile is a product of one along x and one along y, integrated over
    the cells.
    """

    widths: Tensor
    sinh: Tensor
    cosh: Tensor

    def __init__(
        self, detector: Detector, scaling: FeatureScaling, layer: Layer, trunk: int
    ) -> None:
        super().__init__()
        self.impact = ImpactPoint(detector, scaling, layer)
        self.register_buffer("widths", torch.tensor(WIDTHS_CELLS)[:, None], persistent=False)
        self.register_buffer("sinh", 2 * torch.sinh(0.5 / self.widths), persistent=False)
        self.register_buffer("cosh", 2 * torch.cosh(0.5 / self.widths), persistent=False)
        for axis, cells in zip("xy", layer.shape, strict=True):
            self.register_buffer(f"middles_{axis}", torch.arange(cells) + 0.5, persistent=False)
        self.mixture = nn.Linear(trunk, 3 * len(WIDTHS_CELLS))

    def forward(self, features: Tensor, trunk: Tensor) -> Tensor:
        point = self.impact(features)
        mixture = self.mixture(trunk).to(point.dtype)
        logits, shift_x, shift_y = (part[:, :, None] for part in mixture.chunk(3, dim=1))
        along_x = self.along(self.get_buffer("middles_x"), point[:, 0], shift_x)
        along_y = self.along(self.get_buffer("middles_y"), point[:, 1], shift_y)
        cells = (torch.softmax(logits, dim=1) * along_x).transpose(1, 2) @ along_y
        return torch.log(cells + LEAST_SHARE).flatten(1)

    def along(self, middles: Tensor, impact: Tensor, shift: Tensor) -> Tensor:
        r"""Shares of the cells along one axis.  (n,), (N,), (N, K, 1) -> (N, K, n)

        .. math:: \sigma(u + h) - \sigma(u - h) = \frac{2 \sinh(h)\, e^{-|u|}}
            {1 + e^{-2 |u|} + 2 \cosh(h)\, e^{-|u|}}

        for a cell 2 h wide at u, in units of the width: exact far from the impact, too.
        """
        away = torch.abs((middles - impact[:, None, None]) / self.widths - shift)
        falling = torch.exp(-away)
        return self.sinh * falling / (1 + falling.square() + self.cosh * falling)
