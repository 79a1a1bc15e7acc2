"""The critic of showers of counts that tells conditions apart.

Shapes: N rows, K cells, C conditions, S sums of cells, V numbers of a view, W numbers of a layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, leaky_relu

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.networks.critic import Critic, CriticOutput
from caloforge.networks.scaling import ConditionScale, ResponseScale
from caloforge.networks.shower_inputs import blocks

WIDTH = 256
FEATURES = 128
SUMS = ("along_x", "along_y", "blocks_4", "blocks_8", "blocks_16", "blocks_64")
"""Sums of cells that are seen beside the read-out channels."""
DARK = (3 / 8) ** 0.5
"""Steadied sum of an empty shower."""
SUM_SCALE = 5.0
"""Brings steadied sums, of order ten, to the size of cells on a log scale."""
HOTTEST = 2


class CountCritic(Critic):
    """Cells and sums through one network, conditions through another, then their product.

    A critic to which conditions are merely concatenated judges them coarsely: it rewards a
    mixture of conditions, which the generator makes from its latents. The product lets every
    number that is seen count differently for every condition. The logit is linear in the last
    hidden layer; only the features that diversity terms measure distances in are normalised.
    """

    sums: Tensor

    def __init__(
        self, detector: Detector, scaling: FeatureScaling, *, hottest: int = HOTTEST
    ) -> None:
        super().__init__()
        if detector.signed:
            raise UsageError(f"{detector.name} has signed cells: set critic.kind=mlp")
        self.scale = ResponseScale(detector)
        self.conditions = ConditionScale(detector, scaling)
        self.hottest = min(hottest, detector.cells)
        self.register_buffer("sums", sums_of_cells(detector), persistent=False)
        inputs = self.view(torch.zeros(1, detector.cells), torch.zeros(1, 0)).shape[1]
        self.of_shower = dense(inputs, WIDTH)
        self.of_condition = dense(self.conditions.size, WIDTH, WIDTH)
        self.join = nn.Linear(3 * WIDTH, FEATURES)
        self.logit = nn.Linear(FEATURES, 1)

    def view(self, showers: Tensor, conditions: Tensor) -> Tensor:
        """Log cells, roots of sums, the hottest cells and the sum of squares."""
        cells = self.scale.encode(showers)
        sums = (self.scale.steady(showers @ self.sums) - DARK) / SUM_SCALE
        squares = (showers / self.scale.quantum).square().sum(dim=1, keepdim=True)
        hottest = cells.topk(self.hottest, dim=1).values
        return torch.cat([cells, sums, hottest, torch.log1p(squares) / SUM_SCALE], dim=1)

    def condition(self, conditions: Tensor) -> Tensor:
        return self.of_condition(self.conditions(conditions))

    def judge(self, view: Tensor, condition: Tensor) -> CriticOutput:
        shower = self.of_shower(view)
        products = [leaky_relu(shower, 0.2), leaky_relu(condition, 0.2), shower * condition]
        hidden = leaky_relu(self.join(torch.cat(products, dim=1)), 0.2)
        return CriticOutput(self.logit(hidden)[:, 0], layer_norm(hidden, hidden.shape[1:]))


def dense(inputs: int, *widths: int) -> nn.Sequential:
    """Activated layers of these widths, then a linear one of WIDTH.  (N, inputs) -> (N, W)"""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.LeakyReLU(0.2)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, WIDTH))


def sums_of_cells(detector: Detector) -> Tensor:
    """Channels, projections and blocks of every layer as one matrix of zeros and ones.  (K, S)"""
    columns = [torch.from_numpy(detector.scheme().matrix).float()]
    images = detector.split(torch.eye(detector.cells))
    for layer in detector.layers:
        sums_by_name = blocks(images[layer.name], layer)
        columns += [sums for name, sums in sums_by_name if name in SUMS]
    return torch.cat(columns, dim=1).contiguous()
