"""Generators: latents and physical conditions in, expected showers in physical units out.

Shapes: N rows, Z latents, C conditions, F features, T numbers of the trunk, K cells.

Here are what all generators share, two hidden layers for detectors of few cells (``mlp``, and the
2-D benchmark), and the published DC-GAN of the Zero Degree Calorimeters (``reference``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import softplus

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector, Layer
from caloforge.errors import UsageError
from caloforge.extensions import Registry
from caloforge.networks.calogan import calogan, conditional_calogan
from caloforge.networks.impact_profile import ImpactProfile
from caloforge.networks.kinds import OF_GENERATOR, Build, NetworkConfig, networks_of
from caloforge.networks.layer_images import authors_block
from caloforge.networks.layered import LayeredGenerator
from caloforge.networks.scaling import ConditionScale


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


WIDTH = 64


class MlpBody(nn.Module):
    """Dense 64 and 64, then the cells; positive unless signed.  (N, Z + F) -> (N, K)"""

    def __init__(self, detector: Detector, inputs: int) -> None:
        super().__init__()
        self.hidden = hidden_layers(inputs)
        self.cells = nn.Linear(WIDTH, detector.cells)
        self.signed = detector.signed

    def forward(self, inputs: Tensor) -> Tensor:
        cells: Tensor = self.cells(self.hidden(inputs))
        return cells if self.signed else softplus(cells)


def hidden_layers(inputs: int) -> nn.Sequential:
    """Two activated layers.  (N, inputs) -> (N, 64)"""
    return nn.Sequential(
        nn.Linear(inputs, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(0.2)
    )


class Generator(nn.Module):
    """Physical conditions in, physical showers out; scaling is inside and nowhere else.

    ``body`` maps (N, Z + F) to cells in units of the detector's quantum, flat: (N, K).
    """

    def __init__(self, detector: Detector, scaling: FeatureScaling, body: nn.Module) -> None:
        super().__init__()
        self.conditions = ConditionScale(detector, scaling)
        self.quantum = detector.quantum
        self.body = body

    def forward(self, latent: Tensor, conditions: Tensor) -> Tensor:
        """Expected showers.  (N, Z), (N, C) -> (N, K)"""
        inputs = torch.cat([latent, self.conditions(conditions)], dim=1)
        cells: Tensor = self.body(inputs)
        return cells if self.quantum == 1 else cells * self.quantum


def steep_total(root: Tensor) -> Tensor:
    """Positive totals, linear in the square root, where Poisson noise is even.  (N, 1) -> (N, 1)"""
    return softplus(10 * root + 10).square()


class LeakyTotal(nn.Module):
    """Less steep, and with a gradient that stays where showers are dark.  (N, 1) -> (N, 1)

    The slope of a squared softplus falls to 1e-8 in the dark: a generator that went there does not
    come back. In training the slope is at least 1 (straight through: no total changes).
    """

    def forward(self, root: Tensor) -> Tensor:
        z = 4 * root + 10
        total = softplus(z).square()
        if not self.training:
            return total
        below = torch.where(z < 1, z, 0.0)
        return total + (below - below.detach())


Head = Literal["leaky", "steep"]
HEADS: dict[Head, Callable[[], Callable[[Tensor], Tensor]]] = {
    "leaky": LeakyTotal,
    "steep": lambda: steep_total,
}


TRUNK = 256
"""Width of the trunk where nothing else is asked for."""


class TrunkBody(nn.Module):
    """A dense trunk, then one stream and one total per layer.  (N, Z + F) -> (N, K)

    A common factor of all cells is what a network learns worst from cells and physics fixes best,
    so it has a head of its own; the cells' logits deal the total out.
    """

    def __init__(
        self,
        detector: Detector,
        inputs: int,
        stream: Callable[[Layer, int], nn.Module],
        head: Head = "leaky",
        width: int = TRUNK,
    ) -> None:
        super().__init__()
        self.total = HEADS[head]()
        self.trunk = nn.Sequential(
            nn.Linear(inputs, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2)
        )
        self.streams = nn.ModuleList(stream(layer, width) for layer in detector.layers)
        self.roots = None if detector.signed else root_heads(width, len(detector.layers))

    def forward(self, inputs: Tensor) -> Tensor:
        trunk = self.trunk(inputs)
        if self.roots is None:
            return torch.cat([stream(trunk) for stream in self.streams], dim=1)
        roots, shares = self.roots(trunk), self.shares(inputs, trunk)
        if len(shares) == 1:
            return self.total(roots) * shares[0]
        layers = zip(roots.split(1, dim=1), shares, strict=True)
        return torch.cat([self.total(root) * share for root, share in layers], dim=1)

    def shares(self, inputs: Tensor, trunk: Tensor) -> list[Tensor]:
        """Parts of its total in the cells of each layer.  (N, Z + F), (N, T) -> [(N, cells)]"""
        return [torch.softmax(stream(trunk), dim=1) for stream in self.streams]


class ProfileBody(TrunkBody):
    """Cells around the point of impact, corrected by the stream of each layer.

    The features give the impact to a fraction of a cell; a network that has to learn where the
    core of a shower is spreads it over the cells around.
    """

    def __init__(
        self,
        detector: Detector,
        scaling: FeatureScaling,
        latent: int,
        stream: Callable[[Layer, int], nn.Module],
        head: Head = "leaky",
        width: int = TRUNK,
    ) -> None:
        super().__init__(detector, latent + len(scaling.features), stream, head, width)
        self.latent = latent
        self.profiles = nn.ModuleList(
            ImpactProfile(detector, scaling, layer, width) for layer in detector.layers
        )

    def shares(self, inputs: Tensor, trunk: Tensor) -> list[Tensor]:
        features = inputs[:, self.latent :]
        shares = []
        for profile, stream in zip(self.profiles, self.streams, strict=True):
            # As softmax(log(profile) + stream), without a logarithm, which is slow.
            cells = profile(features, trunk) * stream(trunk).clamp(-STEEPEST, STEEPEST).exp()
            shares.append(cells / cells.sum(dim=1, keepdim=True))
        return shares


STEEPEST = 40.0
"""Of the logarithm of a correction; trained ones stay below 10."""


def root_heads(trunk: int, layers: int) -> nn.Sequential:
    """From the trunk to one number per layer, the root of its total.  (N, T) -> (N, layers)"""
    return nn.Sequential(nn.Linear(trunk, 64), nn.LeakyReLU(0.2), nn.Linear(64, layers))


class PatchStream(nn.Module):
    """Two convolutions at a quarter of the resolution, sub-pixel output.  (N, T) -> (N, cells)

    Few dense convolutions on small maps: what a CPU core runs near its peak.
    """

    def __init__(self, layer: Layer, trunk: int) -> None:
        super().__init__()
        self.shape = layer.shape
        self.small = (ceil(layer.shape[0] / 4), ceil(layer.shape[1] / 4))
        self.spread_out = nn.Linear(trunk, 32 * self.small[0] * self.small[1])
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


class CosineStream(nn.Module):
    """A fixed cosine basis: at most 0.3 M weights in all.  (N, T) -> (N, cells)

    For one shower at a time: a fixed basis costs no weights to stream from memory, which is
    what bounds batch 1.
    """

    WAVES = 16

    def __init__(self, layer: Layer, trunk: int) -> None:
        super().__init__()
        self.waves = tuple(min(self.WAVES, cells) for cells in layer.shape)
        self.amplitudes = nn.Linear(trunk, self.waves[0] * self.waves[1])
        self.register_buffer("basis_x", cosines(layer.shape[0], self.waves[0]))
        self.register_buffer("basis_y", cosines(layer.shape[1], self.waves[1]))

    def forward(self, trunk: Tensor) -> Tensor:
        amplitudes = self.amplitudes(trunk).reshape(-1, *self.waves)
        basis_x, basis_y = self.get_buffer("basis_x"), self.get_buffer("basis_y")
        return (basis_x @ amplitudes @ basis_y.T).flatten(1)


def cosines(cells: int, waves: int) -> Tensor:
    """Orthonormal cosines along one axis of a layer.  (cells, waves)"""
    phase = np.pi * (np.arange(cells)[:, None] + 0.5) * np.arange(waves) / cells
    basis = np.cos(phase) * np.sqrt(2 / cells)
    basis[:, 0] /= np.sqrt(2)
    return torch.from_numpy(basis.astype(np.float32))


def around(
    detector: Detector, scaling: FeatureScaling, latent: int, body: Callable[..., nn.Module]
) -> Generator:
    """A generator around a body that knows nothing of units."""
    return Generator(detector, scaling, body(detector, latent + len(scaling.features)))


def light(
    detector: Detector, scaling: FeatureScaling, latent: int, *, head: Head, width: int = TRUNK
) -> Generator:
    """A trunk and few dense convolutions on small maps."""
    body = partial(TrunkBody, stream=PatchStream, head=head, width=width)
    return around(detector, scaling, latent, body)


def o2(
    detector: Detector, scaling: FeatureScaling, latent: int, *, head: Head, width: int = TRUNK
) -> Generator:
    """A trunk and a fixed cosine basis, for one shower at a time."""
    body = partial(TrunkBody, stream=CosineStream, head=head, width=width)
    return around(detector, scaling, latent, body)


def profile(
    detector: Detector, scaling: FeatureScaling, latent: int, *, head: Head, width: int = TRUNK
) -> Generator:
    """Profiles around the point of impact."""
    if detector.signed:
        raise UsageError(f"{detector.name} has cells of any sign: set generator.kind=mlp")
    body = ProfileBody(detector, scaling, latent, CosineStream, head, width)
    return Generator(detector, scaling, body)


def reference(detector: Detector, scaling: FeatureScaling, latent: int) -> Generator:
    """The published DC-GAN."""
    return around(detector, scaling, latent, ReferenceBody)


def mlp(detector: Detector, scaling: FeatureScaling, latent: int) -> Generator:
    """Two hidden layers."""
    return around(detector, scaling, latent, MlpBody)


GENERATORS: Registry[Build] = Registry(
    "generator",
    "networks",
    {
        "profile": profile,
        "light": light,
        "o2": o2,
        "reference": reference,
        "mlp": mlp,
        "layered": LayeredGenerator,
        "calogan": calogan,
        "conditional-calogan": conditional_calogan,
    },
    networks_of(OF_GENERATOR),
    "a generator is a class or a function of (detector, scaling, latent)",
)


class GeneratorConfig(NetworkConfig):
    """Which generator is built; its sizes come from the detector."""

    PLAYER = "generator"
    KINDS = GENERATORS

    latent: int = Field(default=10, ge=1, le=65536)
    """Length of the latent vector; O2 draws 10."""
    features: Literal["features", "plain"] = "features"
    """The detector's feature map (log energy, slopes), or the conditions as they are."""
    head: Head = "leaky"
    """How the total of a shower follows from the network; ``profile``, ``light`` and ``o2`` only.
    ``steep`` has next to no gradient once a shower is dark."""
    attributes: tuple[str, ...] | None = None
    """Conditions that the networks receive, the critic's among them; None: all."""
    attention: bool = True
    """Whether a layer may take over from the one before it; networks of layers only."""
    blur: tuple[Annotated[int, Field(ge=0, le=1024)], ...] = ()
    """Numbers of the layers behind a fixed blur; networks of layers only."""
    blurred: Literal["deposits", "logarithms"] = "logarithms"
    """What ``layered`` blurs: of blurred deposits no cell holds more than a ninth of its layer,
    where the hottest cell of an electron holds half. Without ``blur`` it means nothing."""

    @model_validator(mode="before")
    @classmethod
    def _without_idle_setting(cls, fields: Any) -> Any:
        """Recipes without blur are equal, whatever they would blur."""
        if isinstance(fields, dict) and not fields.get("blur"):
            fields = dict(fields)
            if fields.get("blurred") == "deposits":
                del fields["blurred"]
        return fields

    def build(self, detector: Detector, scaling: FeatureScaling) -> nn.Module:
        """The generator for a detector, with its scaling inside."""
        return self.make(detector, scaling, self.latent)
