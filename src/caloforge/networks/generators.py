"""Generators: latents and physical conditions in, expected showers in physical units out.

Shapes: N rows, Z latents, C conditions, F features, K cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from caloforge.data.scaling import FeatureScaling
from caloforge.detector import Detector, Layer
from caloforge.errors import UsageError
from caloforge.networks.critics import authors_block
from caloforge.networks.scales import ConditionScale, ResponseScale


class GeneratorConfig(BaseModel):
    """Which generator is built; its sizes come from the detector."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["light", "reference", "o2"] = "light"
    latent: int = Field(default=10, ge=1)
    """Length of the latent vector; O2 draws 10."""
    features: Literal["features", "plain"] = "features"
    """The detector's feature map (log energy, slopes), or the conditions as they are."""

    def build(self, detector: Detector, scaling: FeatureScaling) -> nn.Module:
        """The generator for a detector, with its scaling inside."""
        body = GENERATORS[self.kind](detector, self.latent + len(scaling.features))
        return Generator(detector, scaling, body)


class Generator(nn.Module):
    """A body between two scales, so that only physical units are seen outside.

    ``body`` maps (N, Z + F) to one encoded image per layer, flat: (N, K).
    """

    def __init__(self, detector: Detector, scaling: FeatureScaling, body: nn.Module) -> None:
        super().__init__()
        self.conditions = ConditionScale(detector, scaling)
        self.scale = ResponseScale(detector)
        self.body = body

    def forward(self, latent: Tensor, conditions: Tensor) -> Tensor:
        """Expected showers.  (N, Z), (N, C) -> (N, K)"""
        inputs = torch.cat([latent, self.conditions(conditions)], dim=1)
        return self.scale.decode(self.body(inputs))


class LightBody(nn.Module):
    """Dense trunk, two 3x3 convolutions at a quarter of the resolution, sub-pixel output.

    Few dense convolutions on small maps: what a CPU core runs near its peak.
    """

    def __init__(self, detector: Detector, inputs: int) -> None:
        super().__init__()
        self.streams = nn.ModuleList(LightStream(layer) for layer in detector.layers)
        self.trunk = nn.Sequential(
            nn.Linear(inputs, 256), nn.LeakyReLU(0.2), nn.Linear(256, 256), nn.LeakyReLU(0.2)
        )
        self.signed = detector.signed

    def forward(self, inputs: Tensor) -> Tensor:
        trunk = self.trunk(inputs)
        encoded = torch.cat([stream(trunk) for stream in self.streams], dim=1)
        return encoded if self.signed else softplus(encoded)


class LightStream(nn.Module):
    """One layer's image from the shared trunk.  (N, 256) -> (N, cells)"""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.shape = layer.shape
        self.small = (ceil(layer.shape[0] / 4), ceil(layer.shape[1] / 4))
        self.spread_out = nn.Linear(256, 32 * self.small[0] * self.small[1])
        self.convolutions = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 16, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def forward(self, trunk: Tensor) -> Tensor:
        image = self.convolutions(self.spread_out(trunk).reshape(-1, 32, *self.small))
        return image[:, 0, : self.shape[0], : self.shape[1]].flatten(1)


class BasisBody(nn.Module):
    """Dense trunk and a fixed cosine basis: at most 0.3 M weights, for one shower at a time.

    A fixed basis costs no weights to stream from memory, which is what bounds batch 1.
    """

    WAVES = 16

    def __init__(self, detector: Detector, inputs: int) -> None:
        super().__init__()
        self.layers = detector.layers
        sizes = [self._waves(layer) for layer in self.layers]
        self.sizes = [nx * ny for nx, ny in sizes]
        self.trunk = nn.Sequential(
            nn.Linear(inputs, 256),
            nn.LeakyReLU(0.2),
            nn.Linear(256, 256),
            nn.LeakyReLU(0.2),
            nn.Linear(256, sum(self.sizes)),
        )
        for layer, (nx, ny) in zip(self.layers, sizes, strict=True):
            self.register_buffer(f"{layer.name}_x", cosines(layer.shape[0], nx))
            self.register_buffer(f"{layer.name}_y", cosines(layer.shape[1], ny))
        self.signed = detector.signed

    def forward(self, inputs: Tensor) -> Tensor:
        waves = torch.split(self.trunk(inputs), self.sizes, dim=1)
        images = [self._image(layer, wave) for layer, wave in zip(self.layers, waves, strict=True)]
        encoded = torch.cat(images, dim=1)
        return encoded if self.signed else softplus(encoded)

    def _waves(self, layer: Layer) -> tuple[int, int]:
        return min(self.WAVES, layer.shape[0]), min(self.WAVES, layer.shape[1])

    def _image(self, layer: Layer, wave: Tensor) -> Tensor:
        nx, ny = self._waves(layer)
        basis_x, basis_y = self.get_buffer(f"{layer.name}_x"), self.get_buffer(f"{layer.name}_y")
        return (basis_x @ wave.reshape(-1, nx, ny) @ basis_y.T).flatten(1)


def cosines(cells: int, waves: int) -> Tensor:
    """Orthonormal cosines along one axis of a layer.  (cells, waves)"""
    phase = np.pi * (np.arange(cells)[:, None] + 0.5) * np.arange(waves) / cells
    basis = np.cos(phase) * np.sqrt(2 / cells)
    basis[:, 0] /= np.sqrt(2)
    return torch.from_numpy(basis.astype(np.float32))


@dataclass(frozen=True)
class Stage:
    """Nearest upsampling, then a valid convolution."""

    up: tuple[int, int]
    channels: int
    kernel: tuple[int, int]


@dataclass(frozen=True)
class DcganTable:
    """The authors' layer table: a seed image of 128 channels and the stages that follow."""

    seed: tuple[int, int]
    stages: tuple[Stage, ...]


DCGAN_TABLES = {
    "alice_zn": DcganTable(
        seed=(13, 13),
        stages=(Stage((2, 2), 128, (3, 3)), Stage((2, 2), 64, (3, 3)), Stage((1, 1), 1, (3, 3))),
    ),
}
"""Layer tables of the public generators (zdc.md c1, c2), by detector."""


class ReferenceBody(nn.Sequential):
    """The authors' DCGAN generator, in log space with a ReLU at the end."""

    def __init__(self, detector: Detector, inputs: int) -> None:
        if detector.name not in DCGAN_TABLES:
            raise UsageError(f"no published generator for {detector.name}: use generator.kind=light")
        table = DCGAN_TABLES[detector.name]
        size = 128 * table.seed[0] * table.seed[1]
        super().__init__(
            nn.Linear(inputs, 256),
            *authors_block(nn.BatchNorm1d(256)),
            nn.Linear(256, size),
            *authors_block(nn.BatchNorm1d(size)),
            nn.Unflatten(1, (128, *table.seed)),
            *authors_stages(table.stages),
            nn.ReLU(),
            nn.Flatten(),
        )


def authors_stages(stages: tuple[Stage, ...]) -> list[nn.Module]:
    """Upsampling and convolutions of a table; the last one stays without normalisation."""
    layers: list[nn.Module] = []
    channels = 128
    for stage in stages:
        layers += [nn.Upsample(scale_factor=stage.up)] if stage.up != (1, 1) else []
        layers += [nn.Conv2d(channels, stage.channels, stage.kernel)]
        channels = stage.channels
        layers += authors_block(nn.BatchNorm2d(channels)) if channels > 1 else []
    return layers


GENERATORS: dict[str, type[nn.Module]] = {
    "light": LightBody,
    "o2": BasisBody,
    "reference": ReferenceBody,
}
