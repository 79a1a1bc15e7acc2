"""The published DC-GAN generators of the Zero Degree Calorimeters.

Shapes: N rows, Z latents, F features, K cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.networks.image_encoders import authors_block


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
    "alice_zp": DcganTable(
        seed=(20, 10),
        stages=(
            Stage((3, 2), 256, (2, 2)),
            Stage((1, 2), 128, (2, 2)),
            Stage((1, 1), 64, (2, 2)),
            Stage((1, 1), 1, (2, 7)),
        ),
    ),
}
"""Layer tables of the public generators (code of arXiv:2406.03263 and its successors)."""


class ReferenceBody(nn.Sequential):
    """The authors' DCGAN generator, in log space with a ReLU at the end."""

    def __init__(self, detector: Detector, inputs: int) -> None:
        if detector.name not in DCGAN_TABLES:
            raise UsageError(
                f"{detector.name} has no published generator: set generator.kind=light"
            )
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
            ExpMinusOne(),
        )


class ExpMinusOne(nn.Module):
    """From ln(1 + x) to x.  (N, K) -> (N, K)"""

    def forward(self, encoded: Tensor) -> Tensor:
        return torch.exp(encoded) - 1


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
