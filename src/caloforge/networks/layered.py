"""A light generator for calorimeters with layers: energy is shared by layers, then by cells.

Shapes: N rows, Z latents, C conditions, F features, T numbers of the trunk, L layers,
K cells, n cells of a layer of shape (nx, ny).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, softplus

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.networks.impact_profile import TRUNK, CellStream
from caloforge.networks.layer_images import Blur, InPainting
from caloforge.networks.response_law import ResponseLaw
from caloforge.networks.scaling import ConditionScale

TRUNK_LATENTS = 16
"""Latents that the whole shower depends on; all of them make the noise of the cells."""
RESPONSE_LATENTS = 4
"""Those of them that the total depends on, through a head that it shares with nothing."""
BRIGHTEST = 20.0
"""Logarithm of a cell over the quantum where it ends: far above any energy."""
LEAST_DEPOSIT = 0.01
"""Cells below this part of a quantum are dark, as transport and read-out have them."""


LEAST_SHARE = 1e-4
"""Of the energy, for a layer to begin with: a layer that starts in the dark stays there."""
LEAST_SCALE = 0.01
"""Of the logarithm of the response. e+ fluctuate by 0.0012, and the head learns hundredths."""


class LayeredGenerator(nn.Module):
    """Physical conditions in, deposits out: their total follows the energy, share by share.

    The total is the incident energy times a response whose logarithm the network gives (a root
    in quanta for a detector without energy), so a thousandth is as easy as a tenth. Each stream
    draws its cells on a log scale, dark ones included; only their ratios count.

    ``response="empirical"`` draws the response from the law of real showers at the energy, and
    the network moves it: for hadrons, of which some do not interact, it has two peaks.
    """

    offset: Tensor
    scale: Tensor

    def __init__(
        self,
        detector: Detector,
        scaling: FeatureScaling,
        latent: int,
        *,
        attention: bool,
        blur: tuple[int, ...],
        blurred: Literal["deposits", "logarithms"] = "logarithms",
        response: Literal["lognormal", "empirical"] = "lognormal",
    ) -> None:
        super().__init__()
        if detector.signed:
            raise UsageError(f"{detector.name} has cells of any sign: set generator.kind=mlp")
        self.detector = detector
        self.conditions = ConditionScale(detector, scaling)
        self.energy = None if detector.energy is None else detector.column(detector.energy)
        if response == "empirical" and self.energy is None:
            raise UsageError(f"{detector.name} has no energy for generator.options.response")
        self.quantum = detector.quantum
        self.common = min(TRUNK_LATENTS, latent)
        self.response_latents = min(RESPONSE_LATENTS, latent)
        inputs = self.common + self.conditions.size + (response == "empirical")
        self.trunk = two_layers(inputs, TRUNK, TRUNK)
        self.shares = two_layers(TRUNK + inputs, 64, len(detector.layers))
        self.response = two_layers(2 * self.response_latents + self.conditions.size, 32, 1)
        with torch.no_grad():
            self.response[-1].get_parameter("weight").mul_(0.1)
        self.register_buffer("offset", torch.zeros(()))
        self.register_buffer("scale", torch.tensor(LEAST_SCALE))
        self.law = ResponseLaw() if response == "empirical" else None
        if self.law is not None:
            for parameter in self.response[-1].parameters():
                nn.init.zeros_(parameter)  # it starts from the law itself
        self.streams = nn.ModuleList(CellStream(layer, inputs, latent) for layer in detector.layers)
        self.painters = painters(detector) if attention else None
        self.blurs = blurs(detector, blur)
        self.blurred = blurred

    @torch.no_grad()
    def begin(self, showers: Tensor, conditions: Tensor) -> None:
        """Start from the shares of the layers and the response of real showers.  (n, K), (n, C)

        A layer that holds a thousandth but starts with a third is pushed down by all others, and
        once all its cells are dark nothing brings it back. Nothing changes where all are dark.
        """
        layers = torch.stack(
            [part.flatten(1).sum(dim=1) for part in self.detector.split(showers).values()], dim=1
        )
        nonempty = layers.sum(dim=1) > 0
        if not nonempty.any():
            return
        layers, conditions = layers[nonempty], conditions[nonempty]
        total = layers.sum(dim=1)
        shares = (layers / total[:, None]).mean(dim=0).clamp(min=LEAST_SHARE)
        self.shares[-1].get_parameter("bias").copy_(shares.log())
        if self.energy is None:
            root = (total / self.quantum).sqrt().mean().clamp(min=0.1)
            begin = (root + torch.log(-torch.expm1(-root)) - 10) / 10
            self.response[-1].get_parameter("bias").fill_(begin)
            return
        response = (total / conditions[:, self.energy]).log()
        self.offset.copy_(response.mean())
        self.scale.copy_(response.std(correction=0).clamp(min=LEAST_SCALE))
        if self.law is not None:
            self.law.fit(response, conditions[:, self.energy])

    def forward(self, latent: Tensor, conditions: Tensor) -> Tensor:
        """Deposits.  (N, Z), (N, C) -> (N, K)"""
        features = self.conditions(conditions)
        few = latent[:, : self.response_latents]
        # Cubes reach as far as the rare shower that loses ten times the usual energy.
        head = self.response(torch.cat([few, few**3 / 4, features], dim=1))
        inputs = torch.cat([latent[:, : self.common], features], dim=1)
        # A bfloat16 near 1 has steps of 0.4 %, three times the width of the total.
        head = head.to(conditions.dtype)
        if self.law is not None:
            head = self.quantile(head + latent[:, :1], conditions)
            inputs = torch.cat([inputs, head], dim=1)
        trunk = leaky_relu(self.trunk(inputs), 0.2)
        shares = self.shares(torch.cat([trunk, inputs], dim=1))
        images = self.in_painted([stream(inputs, trunk, latent) for stream in self.streams])
        if self.blurred == "logarithms":
            images = [blur(image) for blur, image in zip(self.blurs, images, strict=True)]
        shares, *images = (x.to(conditions.dtype) for x in (shares, *images))
        total = self.total(head, conditions)
        layers = total * torch.softmax(shares, dim=1)
        cells = torch.cat(
            [
                shared(layer, amounts)
                for layer, amounts in zip(
                    torch.split(layers, 1, dim=1), self.amounts(images), strict=True
                )
            ],
            dim=1,
        )
        cells = cells * (cells > LEAST_DEPOSIT * self.quantum)
        return cells * (total / (cells.sum(dim=1, keepdim=True) + 1e-3 * self.quantum))

    def amounts(self, images: list[Tensor]) -> list[Tensor]:
        """What cells hold, up to a factor of their layer.  [(N, nx, ny)] -> [(N, nx, ny)]"""
        amounts = [torch.exp(torch.relu(image).clamp(max=BRIGHTEST)) - 1 for image in images]
        if self.blurred == "logarithms":
            return amounts
        return [blur(image) for blur, image in zip(self.blurs, amounts, strict=True)]

    def quantile(self, normal: Tensor, conditions: Tensor) -> Tensor:
        """Response by the law, as ``total`` takes it.  (N, 1), (N, C) -> (N, 1)"""
        assert self.law is not None
        assert self.energy is not None
        energy = conditions[:, self.energy : self.energy + 1]
        return (self.law(normal, energy) - self.offset) / self.scale

    def total(self, head: Tensor, conditions: Tensor) -> Tensor:
        """Sum of all cells.  (N, 1), (N, C) -> (N, 1)"""
        if self.energy is None:
            return softplus(10 * head + 10).square() * self.quantum
        response = torch.exp(self.offset + self.scale * head)
        return conditions[:, self.energy : self.energy + 1] * response

    def in_painted(self, images: list[Tensor]) -> list[Tensor]:
        """Each layer may take over from the one before it.  [(N, nx, ny)]"""
        if self.painters is None:
            return images
        painted_images = images[:1]
        for image, painter in zip(images[1:], self.painters, strict=True):
            painted_images.append(painter(image, painted_images[-1]))
        return painted_images


def two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Dense, activated, dense.  (N, inputs) -> (N, outputs)"""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, outputs))


def painters(detector: Detector) -> nn.ModuleList:
    """In-painting from each layer into the next."""
    shapes = [layer.shape for layer in detector.layers]
    return nn.ModuleList(InPainting(before, after) for before, after in pairwise(shapes))


def blurs(detector: Detector, blur: tuple[int, ...]) -> nn.ModuleList:
    """A fixed blur for the layers of these numbers, nothing for others.

    Raises UsageError for a number that the detector does not have.
    """
    if unknown := set(blur) - set(range(len(detector.layers))):
        raise UsageError(f"generator.blur: {detector.name} has no layer {min(unknown)}")
    return nn.ModuleList(
        Blur(layer.shape) if number in blur else nn.Identity()
        for number, layer in enumerate(detector.layers)
    )


def shared(energy: Tensor, amounts: Tensor) -> Tensor:
    """Energy of a layer, shared by its cells.  (N, 1), (N, nx, ny) -> (N, n)"""
    flat = amounts.flatten(1)
    return energy * flat / (flat.sum(dim=1, keepdim=True) + 1e-3)
