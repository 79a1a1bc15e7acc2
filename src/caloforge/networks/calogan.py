"""The published generators of layered showers: CaloGAN and the Conditional CaloGAN.

Shapes: N rows, Z latents, C conditions, F features, K cells, n cells of a layer (nx, ny), I and O
channels, P places of the output of a convolution, M = I k k inputs a place.

Sizes: hep-lbdl/CaloGAN, master (arXiv:1712.10321) and branch explicit-blur. Where
the sources give no number (latents and channels of the seed of the second) that of the first is
taken. Keras pads a 2x2 kernel behind, not before, and normalises with a momentum of 0.99; its
convolutions with weights of their own at each place are written here, since torch has none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.networks.layer_images import Blur, InPainting, same_size
from caloforge.networks.scaling import ConditionScale


class LocallyConnected(nn.Module):
    """``LocallyConnected2D`` of Keras.  (N, I, nx, ny) -> (N, O, mx, my)"""

    def __init__(
        self,
        shape: tuple[int, int],
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.shape = (
            (shape[0] + 2 * padding - kernel[0]) // stride[0] + 1,
            (shape[1] + 2 * padding - kernel[1]) // stride[1] + 1,
        )
        places, patch = self.shape[0] * self.shape[1], inputs * kernel[0] * kernel[1]
        # He's uniform law, as the authors': the variance is 2 over the inputs of a place.
        limit = sqrt(6 / patch)
        self.weight = nn.Parameter(torch.empty(places, patch, outputs).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.zeros(outputs, places)) if bias else None

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(pad(images, (self.padding,) * 4))
        # A product for each place: (P, N, M) x (P, M, O).
        outputs = torch.matmul(patches, self.weight).permute(1, 2, 0)
        outputs = outputs if self.bias is None else outputs + self.bias
        return outputs.reshape(-1, outputs.shape[1], *self.shape)

    def patches(self, images: Tensor) -> Tensor:
        """What each place sees.  (N, I, nx, ny) -> (P, N, M)"""
        (across, along), (step_x, step_y) = self.shape, self.stride
        shifted = [
            images[:, :, i : i + step_x * (across - 1) + 1 : step_x][
                :, :, :, j : j + step_y * (along - 1) + 1 : step_y
            ]
            for i in range(self.kernel[0])
            for j in range(self.kernel[1])
        ]
        stacked = torch.stack(shifted, dim=2).flatten(1, 2).flatten(2)
        return stacked.permute(2, 0, 1)


SEED_CHANNELS = 36
LARGEST_ENERGY_GEV = 100.0
SLOPE = 0.3
"""Of LeakyReLU, Keras' default."""
MOMENTUM = 0.01
"""Of running statistics, as torch counts it."""
SMEARING = (((3, 7), (3, 5)), ((5, 5), (3, 3)), ((5, 3), (5, 3)))
"""Kernels of the two last convolutions of each layer of the Conditional CaloGAN."""

Stream = Callable[[int, tuple[int, int], int], nn.Module]
"""Number and shape of a layer, and inputs."""


class CaloGenerator(nn.Module):
    """Streams of one input, in-painting, blur, ReLU.  (N, Z), (N, C) -> (N, K)

    The latents are multiplied by the energy over 100 GeV; other conditions stand beside them, but
    for CaloGAN itself (``local``), which knows of no others.
    """

    def __init__(
        self,
        detector: Detector,
        scaling: FeatureScaling,
        latent: int,
        *,
        attention: bool,
        blur: tuple[int, ...],
        stream: Stream,
        local: bool = False,
    ) -> None:
        super().__init__()
        if detector.energy is None:
            raise UsageError(f"{detector.name} names no energy: set generator.kind=light")
        self.energy = detector.column(detector.energy)
        self.conditions = ConditionScale(detector, scaling)
        others = [feature.of != (detector.energy,) and not local for feature in scaling.features]
        self.received = [number for number, other in enumerate(others) if other]
        shapes = [layer.shape for layer in detector.layers]
        inputs = latent + len(self.received)
        self.streams = nn.ModuleList(
            stream(number, shape, inputs) for number, shape in enumerate(shapes)
        )
        self.painters = nn.ModuleList(
            InPainting(before, after, partial(beside, after) if local else same_size)
            for before, after in pairwise(shapes)
            if attention
        )
        self.blurs = nn.ModuleList(
            Blur(shape) if number in blur else nn.Identity() for number, shape in enumerate(shapes)
        )

    def forward(self, latent: Tensor, conditions: Tensor) -> Tensor:
        scaled = latent * (conditions[:, self.energy : self.energy + 1] / LARGEST_ENERGY_GEV)
        features = [self.conditions(conditions)[:, self.received]] if self.received else []
        inputs = torch.cat([scaled, *features], dim=1)
        images = [stream(inputs)[:, 0] for stream in self.streams]
        for number, painter in enumerate(self.painters, start=1):
            images[number] = painter(images[number], images[number - 1])
        cells = [
            torch.relu(blur(image)).flatten(1)
            for blur, image in zip(self.blurs, images, strict=True)
        ]
        return torch.cat(cells, dim=1)


def beside(shape: tuple[int, int], inputs: int, outputs: int, kernel: int) -> nn.Module:
    """A locally connected layer that keeps the size."""
    return LocallyConnected(shape, inputs, outputs, (kernel, kernel), padding=kernel // 2)


def local_stream(number: int, shape: tuple[int, int], inputs: int) -> nn.Module:
    """Dense, convolution, two locally connected layers.  (N, Z) -> (N, 1, nx, ny)"""
    wide = (shape[0] + 2, shape[1] + 2)
    return nn.Sequential(
        nn.Linear(inputs, SEED_CHANNELS * wide[0] * wide[1]),
        nn.Unflatten(1, (SEED_CHANNELS, *wide)),
        nn.ZeroPad2d((0, 1, 0, 1)),
        he_uniform(nn.Conv2d(SEED_CHANNELS, 16, 2)),
        nn.LeakyReLU(SLOPE),
        nn.BatchNorm2d(16, momentum=MOMENTUM),
        LocallyConnected(wide, 16, 6, (2, 2)),
        nn.LeakyReLU(SLOPE),
        LocallyConnected((shape[0] + 1, shape[1] + 1), 6, 1, (2, 2), bias=False),
    )


def convolved_stream(number: int, shape: tuple[int, int], inputs: int) -> nn.Module:
    """Dense, three convolutions, then two that smear.  (N, Z + C) -> (N, 1, nx, ny)"""
    wide = (shape[0] + 2, shape[1] + 2)
    first, second = SMEARING[min(number, len(SMEARING) - 1)]
    layers = nn.Sequential(
        nn.Linear(inputs, SEED_CHANNELS * wide[0] * wide[1]),
        nn.Unflatten(1, (SEED_CHANNELS, *wide)),
        nn.Conv2d(SEED_CHANNELS, 64, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.BatchNorm2d(64, momentum=MOMENTUM),
        nn.Conv2d(64, 16, 2),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(16, 1, 2),
        nn.Conv2d(1, 32, first, padding=(first[0] // 2, first[1] // 2)),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(32, 1, second, padding=(second[0] // 2, second[1] // 2)),
    )
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.trunc_normal_(layer.weight, std=0.02, a=-0.04, b=0.04)
    if number == 1:
        nn.init.normal_(layers[-1].get_parameter("bias"), 3, 0.2)
    return layers


def he_uniform(layer: nn.Conv2d) -> nn.Module:
    """The layer, initialised as the authors do."""
    nn.init.kaiming_uniform_(layer.weight)
    return layer


def calogan(
    detector: Detector,
    scaling: FeatureScaling,
    latent: int,
    *,
    attention: bool,
    blur: tuple[int, ...],
) -> CaloGenerator:
    """The generator of arXiv:1712.10321."""
    build = partial(CaloGenerator, stream=local_stream, local=True)
    return build(detector, scaling, latent, attention=attention, blur=blur)


def conditional_calogan(
    detector: Detector,
    scaling: FeatureScaling,
    latent: int,
    *,
    attention: bool,
    blur: tuple[int, ...],
) -> CaloGenerator:
    """The generator of arXiv:1711.08813."""
    build = partial(CaloGenerator, stream=convolved_stream)
    return build(detector, scaling, latent, attention=attention, blur=blur)
