"""Flow matching: a U-Net that gives the velocity of a noisy image, and its steps to a shower.

Written from the description in arXiv:2507.18811 (base of 4 channels times 2, 3 and 4, two residual
blocks a level, two attention heads at the lowest one, 11 Euler steps). What the description leaves
open was chosen in favour of the network: it also sees the place of each cell, and the conditions
scale and shift every block.

Shapes: N images, H x W = K cells, C channels or conditions, F features, E numbers of the embedding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, scaled_dot_product_attention, silu

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.networks.scaling import ConditionScale

STEPS = 11
BASE, MULTIPLIERS, BLOCKS, HEADS = 4, (2, 3, 4), 2, 2
EMBEDDING, FREQUENCIES = 40, 16
GROUPS = 4
"""Of channels that are normalised together."""
LARGEST_FREQUENCY = 1000.0


class FlowGenerator(nn.Module):
    """Noise to expected counts by Euler steps of equal length.  (N, K), (N, C) -> (N, K)"""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        detector: Detector,
        scaling: FeatureScaling,
        mean: float,
        deviation: float,
        base: int = BASE,
    ) -> None:
        super().__init__()
        rows, columns = detector.layers[0].shape
        self.shape = (rows, columns)
        self.condition = ConditionScale(detector, scaling)
        self.velocity = VelocityNetwork(self.condition.size, self.shape, base)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("deviation", torch.tensor(deviation))
        self.whole = False
        """Whether expected counts are rounded to the nearest whole number."""

    def encode(self, cells: Tensor) -> Tensor:
        """Standardised logarithms of counts.  (N, K) -> (N, H, W)"""
        return ((cells.log1p() - self.mean) / self.deviation).reshape(-1, *self.shape)

    def forward(self, latents: Tensor, conditions: Tensor) -> Tensor:
        """Expected counts; latents are the noise of the cells."""
        features = self.condition(conditions)
        image = latents.reshape(-1, *self.shape)
        for step in range(STEPS):
            time = torch.full_like(latents[:, 0], step / STEPS)
            image = image + self.velocity(image, time, features) / STEPS
        counts = (image.flatten(1) * self.deviation + self.mean).exp().sub(1).clamp(min=0)
        return counts.round() if self.whole else counts

    def loss(self, cells: Tensor, conditions: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of the velocity between noise and shower at a random time."""
        image = self.encode(cells)
        noise = torch.randn(image.shape, generator=generator)
        time = torch.rand(len(image), generator=generator)
        between = torch.lerp(noise, image, time[:, None, None])
        velocity = self.velocity(between, time, self.condition(conditions))
        return (velocity - (image - noise)).square().mean()


class VelocityNetwork(nn.Module):
    """Three levels down, the lowest one with attention, three levels up.

    (N, H, W), (N,), (N, F) -> (N, H, W)
    """

    place: Tensor

    def __init__(self, features: int, shape: tuple[int, int], base: int) -> None:
        super().__init__()
        widths = [base * factor for factor in MULTIPLIERS]
        lowest = (shape[0] // 4) * (shape[1] // 4)
        self.embedding = Embedding(features)
        self.register_buffer("place", places(shape), persistent=False)
        self.entry = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            Level(before, width, 0, None)
            for before, width in zip([widths[0], *widths[:-2]], widths[:-1], strict=True)
        )
        self.lowest = Level(widths[-2], widths[-1], 0, lowest)
        self.middle = Level(widths[-1], widths[-1], widths[-1], lowest)
        self.up = nn.ModuleList(
            Level(before, width, width, None)
            for before, width in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.norm = GroupNorm(GROUPS, widths[0])
        self.exit = nn.Conv2d(widths[0], 1, 3, padding=1)
        nn.init.zeros_(self.exit.weight)

    def forward(self, image: Tensor, time: Tensor, features: Tensor) -> Tensor:
        """Velocity of each cell at a time between noise (0) and shower (1)."""
        embedded = self.embedding(time, features)
        place = self.place.expand(image.shape[0], -1, -1, -1)
        inputs = torch.cat([image[:, None], place], dim=1)
        hidden = self.entry(inputs.contiguous(memory_format=torch.channels_last))  # a fifth faster
        skipped = []
        for level in self.down:
            hidden, skip = level(hidden, embedded)
            skipped.append(skip)
            hidden = avg_pool2d(hidden, 2)
        hidden, skip = self.lowest(hidden, embedded)
        hidden, _ = self.middle(hidden, embedded, skip)
        for level in self.up:
            hidden = interpolate(hidden, scale_factor=2.0, mode="nearest")
            hidden, _ = level(hidden, embedded, skipped.pop())
        velocity: Tensor = self.exit(silu(self.norm(hidden)))
        return velocity[:, 0]


class Level(nn.Module):
    """Two residual blocks, each with what was skipped, then with attention where it is asked for.

    (N, C, H, W), (N, E) -> (N, C', H, W)
    """

    def __init__(self, before: int, width: int, skipped: int, tokens: int | None) -> None:
        super().__init__()
        inputs = [before, *[width] * (BLOCKS - 1)]
        self.blocks = nn.ModuleList(Block(size + skipped, width) for size in inputs)
        self.attention = nn.ModuleList(
            nn.Identity() if tokens is None else Attention(width, tokens) for _ in inputs
        )

    def forward(
        self, hidden: Tensor, embedded: Tensor, skipped: list[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The last block's answer, and those of all blocks."""
        skip: list[Tensor] = []
        for number, (block, attention) in enumerate(zip(self.blocks, self.attention, strict=True)):
            if skipped is not None:
                hidden = torch.cat([hidden, skipped[-1 - number]], dim=1)
            hidden = attention(block(hidden, embedded))
            skip.append(hidden)
        return hidden, skip


class Block(nn.Module):
    """Two convolutions around a shortcut; the embedding scales and shifts between them.

    (N, C, H, W), (N, E) -> (N, C', H, W)
    """

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([GroupNorm(GROUPS, before), GroupNorm(GROUPS, width)])
        self.first = nn.Conv2d(before, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(EMBEDDING, 2 * width)
        self.shortcut = nn.Identity() if before == width else nn.Conv2d(before, width, 1)
        nn.init.zeros_(self.second.weight)

    def forward(self, hidden: Tensor, embedded: Tensor) -> Tensor:
        """Channels of the next block."""
        inner = self.norms[1](self.first(silu(self.norms[0](hidden))))
        scale, shift = self.modulation(embedded)[..., None, None].chunk(2, dim=1)
        inner = self.second(silu(inner * (1 + scale) + shift))
        shortcut: Tensor = self.shortcut(hidden)
        return shortcut + inner


class Attention(nn.Module):
    """Attention between all cells of the lowest level, which know their place.

    (N, C, H, W) -> (N, C, H, W)
    """

    def __init__(self, width: int, tokens: int) -> None:
        super().__init__()
        self.norm = GroupNorm(GROUPS, width)
        self.place = nn.Parameter(torch.zeros(tokens, width))
        self.inputs, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """What the cells tell each other, added."""
        tokens = self.norm(hidden).flatten(2).transpose(1, 2) + self.place
        heads = self.inputs(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        answer = scaled_dot_product_attention(heads[0], heads[1], heads[2])
        answer = self.output(answer.transpose(1, 2).flatten(2))
        return hidden + answer.transpose(1, 2).reshape(hidden.shape)


class Embedding(nn.Module):
    """Time as waves and standardised features, mixed by two layers.  (N,), (N, F) -> (N, E)"""

    frequencies: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        steps = torch.linspace(0, math.log(LARGEST_FREQUENCY), FREQUENCIES // 2)
        self.register_buffer("frequencies", steps.exp(), persistent=False)
        self.first = nn.Linear(FREQUENCIES + features, EMBEDDING)
        self.second = nn.Linear(EMBEDDING, EMBEDDING)

    def forward(self, time: Tensor, features: Tensor) -> Tensor:
        """The embedding, activated."""
        angles = time[:, None] * self.frequencies
        inputs = torch.cat([angles.sin(), angles.cos(), features], dim=1)
        return silu(self.second(silu(self.first(inputs))))


def places(shape: tuple[int, int]) -> Tensor:
    """Both coordinates of each cell, from -1 to 1.  (1, 2, H, W)"""
    axes = [torch.linspace(-1, 1, size) for size in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]


class GroupNorm(nn.GroupNorm):
    """Torch's own, without its question for the batch size, which an exporter warns of."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)
