"""Critics of layered showers: what they see of cells, of energies, and of the batch.

Shapes: N rows, K cells, C conditions, L layers, F critic features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, leaky_relu

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.networks.calogan import LocallyConnected
from caloforge.networks.critic import Critic, CriticOutput, MinibatchDiscrimination
from caloforge.networks.layer_images import strided_encoder
from caloforge.networks.scaling import ConditionScale, ResponseScale
from caloforge.networks.shower_inputs import StandardisedInputs
from caloforge.networks.sparsity import Form
from caloforge.networks.sparsity import occupancy as lit_cells

SLOPE = 0.3
MOMENTUM = 0.01
FAR_OFF_GEV = 5.0
"""Energies that differ by more get a number of their own."""
NARROW = 16
"""Numbers of the light critics' features that are compared across the batch."""
CELL_FEATURES, JOINED = 16, 128
"""Channels of the convolutions and width of the dense layers of the standardised critic."""


class LayeredCritic(nn.Module):
    """Convolutions of each layer, energies, lit cells and the batch, then one or more dense layers.

    ``light``: cells on the network scale, conditions beside, two dense layers, features of unit
    variance. Else as published: cells in GeV and one dense layer.
    """

    def __init__(
        self,
        detector: Detector,
        scaling: FeatureScaling,
        *,
        minibatch: bool,
        occupancy: Form | None,
        eye: Callable[[tuple[int, int]], nn.Module],
        light: bool = False,
    ) -> None:
        super().__init__()
        if detector.signed or (detector.energy is None and not light):
            raise UsageError(f"{detector.name} names no energy: set critic.kind=light")
        self.detector, self.light, self.occupancy = detector, light, occupancy
        self.scale = ResponseScale(detector)
        self.conditions = ConditionScale(detector, scaling)
        self.energy = None if detector.energy is None else detector.column(detector.energy)
        self.eyes = nn.ModuleList(eye(layer.shape) for layer in detector.layers)
        layers = len(detector.layers)
        of_images = sum(
            encoder(torch.zeros(2, 1, *layer.shape)).shape[1]
            for encoder, layer in zip(self.eyes, detector.layers, strict=True)
        )
        self.narrow = nn.Linear(of_images, NARROW) if light and minibatch else nn.Identity()
        self.batch = nn.ModuleDict()
        if minibatch:
            self.batch["cells"] = MinibatchDiscrimination(NARROW if light else of_images)
            self.batch["energies"] = MinibatchDiscrimination(layers)
            if occupancy:
                self.batch["occupancy"] = MinibatchDiscrimination(layers)
        inputs = of_images + (layers if occupancy else 0) + 10 * len(self.batch)
        inputs += layers + 1 + (0 if self.energy is None else 2)
        inputs += self.conditions.size if light else 0
        self.join = join(inputs) if light else nn.Sequential()
        self.logit = nn.Linear(64 if light else inputs, 1)

    def forward(self, showers: Tensor, conditions: Tensor) -> CriticOutput:
        features = self.join(self.inputs_of(showers, conditions))
        features = layer_norm(features, features.shape[1:]) if self.light else features
        return CriticOutput(self.logit(features)[:, 0], features)

    def inputs_of(self, showers: Tensor, conditions: Tensor) -> Tensor:
        """All that the dense layers receive of a shower.  (N, K), (N, C) -> (N, F)"""
        cells = self.scale.encode(showers) if self.light else showers
        images = self.detector.split(cells).values()
        encoded = torch.cat(
            [encoder(image[:, None]) for encoder, image in zip(self.eyes, images, strict=True)],
            dim=1,
        )
        layers = torch.stack(
            [image.sum(dim=(1, 2)) for image in self.detector.split(showers).values()], dim=1
        )
        parts = [encoded, *self.energies(layers, conditions)]
        compared = {"cells": self.narrow(encoded), "energies": parts[1]}
        if self.occupancy:
            fractions = lit_cells(self.detector, showers, self.occupancy)
            parts.append(fractions)
            compared["occupancy"] = fractions
        parts += [self.batch[name](compared[name]) for name in self.batch]
        return torch.cat([*parts, self.conditions(conditions)] if self.light else parts, dim=1)

    def energies(self, layers: Tensor, conditions: Tensor) -> list[Tensor]:
        """E_l / 10, E_tot / 100, |E_tot - E| and whether that is large.  [(N, L), (N, 1) ...]

        The light critic gets roots in quanta, and the difference relative to the energy.
        """
        total = layers.sum(dim=1, keepdim=True)
        own = [layers / 10, total / 100]
        if self.light:
            own = [self.scale.steady(layers) / 10, self.scale.steady(total) / 10]
        if self.energy is None:
            return own
        expected = self.detector.sampling_fraction * conditions[:, self.energy : self.energy + 1]
        off = (total - expected).abs()
        far = 10.0 * (off > FAR_OFF_GEV)
        # Leaks are thousandths: hundredths of the energy are of order one.
        return [*own, 100 * off / expected.clamp(min=1e-6) if self.light else off, far.to(off)]


class StandardisedCritic(Critic):
    """Cells and statistics of a shower in units of real showers, beside its conditions.

    Convolutions see the cells. Features of the conditions stand beside all and multiply what is
    made of it (the projection of Miyato and Koyama, arXiv:1802.05637, Eq. 4). Minibatch
    discrimination compares the statistics, by a mean over the batch that does not saturate.

    Args:
        detector: the calorimeter; cells of any sign are refused.
        scaling: features of the conditions that the critic receives.
        minibatch: whether rows are compared across the batch.
        occupancy: form of the soft sparsity among the statistics; None leaves it out.
    """

    def __init__(
        self,
        detector: Detector,
        scaling: FeatureScaling,
        *,
        minibatch: bool,
        occupancy: Form | None,
    ) -> None:
        super().__init__()
        self.inputs = StandardisedInputs(detector, scaling, occupancy)
        features = self.inputs.conditions.size
        self.blocks = (self.inputs.statistics, 2 * detector.cells)
        self.local = nn.ModuleList(cell_features() for _ in detector.layers)
        self.narrow = nn.Linear(self.inputs.statistics, NARROW) if minibatch else None
        self.batch = MinibatchDiscrimination(NARROW, mean=True) if minibatch else None
        numbers = self.inputs.statistics + features
        numbers += 2 * CELL_FEATURES * len(detector.layers) + (10 if minibatch else 0)
        self.join = nn.Sequential(
            nn.Linear(numbers, JOINED), nn.LeakyReLU(0.2), nn.Linear(JOINED, JOINED)
        )
        self.logit = nn.Linear(JOINED, 1)
        self.product = nn.Linear(features, JOINED, bias=False)

    def begin(self, showers: Tensor, conditions: Tensor) -> None:
        """Take the units of the inputs from real showers.  (n, K), (n, C)"""
        self.inputs.fit(showers, conditions)

    def view(self, showers: Tensor, conditions: Tensor) -> Tensor:
        """What the critic sees of a shower.  (N, K), (N, C) -> (N, V)"""
        return self.inputs(showers, conditions)

    def condition(self, conditions: Tensor) -> Tensor:
        """Features of the conditions.  (N, C) -> (N, F)"""
        return self.inputs.conditions(conditions)

    def judge(self, view: Tensor, condition: Tensor) -> CriticOutput:
        """The network behind the view.  (N, V), (N, F) -> (N,) and (N, JOINED)"""
        statistics, *images = self.inputs.split(view)
        parts = [statistics, condition]
        for image, convolutions in zip(images, self.local, strict=True):
            cells = convolutions(image)
            parts += [cells.mean(dim=(2, 3)), cells.amax(dim=(2, 3))]
        if self.narrow is not None and self.batch is not None:
            parts.append(self.batch(self.narrow(statistics)))
        features = leaky_relu(self.join(torch.cat(parts, dim=1)), 0.2)
        agreement = (self.product(condition) * features).sum(dim=1) / JOINED**0.5
        # Terms measure distances between features; the logit keeps its own scale.
        return CriticOutput(
            self.logit(features)[:, 0] + agreement, layer_norm(features, features.shape[1:])
        )


def cell_features() -> nn.Sequential:
    """Each cell with its neighbours.  (N, 2, nx, ny) -> (N, CELL_FEATURES, nx, ny)"""
    return nn.Sequential(
        nn.Conv2d(2, CELL_FEATURES, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(CELL_FEATURES, CELL_FEATURES, 1),
        nn.LeakyReLU(0.2),
    )


def join(inputs: int) -> nn.Sequential:
    """Two dense layers of the light critic.  (N, inputs) -> (N, 64)"""
    return nn.Sequential(
        nn.Linear(inputs, 128), nn.LeakyReLU(0.2), nn.Linear(128, 64), nn.LeakyReLU(0.2)
    )


def local_encoder(shape: tuple[int, int]) -> nn.Sequential:
    """CaloGAN: a convolution and three locally connected layers.  (N, 1, nx, ny) -> (N, M)"""
    layers: list[nn.Module] = [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 64, 2), nn.LeakyReLU(SLOPE)]
    channels = 64
    for wider, size, step in ((16, 3, (1, 2)), (8, 2, (1, 1)), (8, 2, (1, 2))):
        local = LocallyConnected(shape, channels, wider, (size, size), stride=step, padding=1)
        layers += [local, nn.LeakyReLU(SLOPE), nn.BatchNorm2d(wider, momentum=MOMENTUM)]
        shape, channels = local.shape, wider
    return nn.Sequential(*layers, nn.Flatten())


def convolved_encoder(shape: tuple[int, int]) -> nn.Sequential:
    """Conditional CaloGAN: three convolutions.  (N, 1, nx, ny) -> (N, M)"""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(16, 32, 3, stride=(1, 2), padding=1),
        nn.LeakyReLU(SLOPE),
        nn.BatchNorm2d(32, momentum=MOMENTUM),
        nn.Conv2d(32, 64, 2, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.BatchNorm2d(64, momentum=MOMENTUM),
        nn.Flatten(),
    )


def layered(
    detector: Detector, scaling: FeatureScaling, *, minibatch: bool, occupancy: Form | None
) -> LayeredCritic:
    """Strided convolutions on the network scale."""
    return LayeredCritic(
        detector, scaling, minibatch=minibatch, occupancy=occupancy, eye=strided_encoder, light=True
    )


def calogan(
    detector: Detector, scaling: FeatureScaling, *, minibatch: bool, occupancy: Form | None
) -> LayeredCritic:
    """The critic of arXiv:1712.10321."""
    return LayeredCritic(
        detector, scaling, minibatch=minibatch, occupancy=occupancy, eye=local_encoder
    )


def conditional_calogan(
    detector: Detector, scaling: FeatureScaling, *, minibatch: bool, occupancy: Form | None
) -> LayeredCritic:
    """The critic of arXiv:1711.08813."""
    return LayeredCritic(
        detector, scaling, minibatch=minibatch, occupancy=occupancy, eye=convolved_encoder
    )
