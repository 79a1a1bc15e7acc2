"""One layer of a light generator of deposits, drawn cell by cell.

Shapes: N rows, Z latents, F features, T numbers of the trunk, a layer of shape (nx, ny).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, softplus

from caloforge.detector import Layer

TRUNK = 128
"""Numbers of the trunk that all layers share."""
CHANNELS = 16
WIDTHS = (0.02, 0.08, 0.3)
"""Widths of a shower to begin with, in half widths of the layer."""


class CellStream(nn.Module):
    """One layer: profiles around an axis, and noise, seen cell by cell.  -> (N, nx, ny)

    What a cell holds depends on where it is relative to the shower's axis. The network says
    where the axis is and how wide the shower, and convolutions see, for each cell, the logarithm
    of the integral of logistic profiles over it: narrow cores need no fine cells. Each cell adds
    noise of its own with one width below and another above, so that showers end in single
    deposits and dark cells as real ones do.
    """

    x: Tensor
    y: Tensor

    def __init__(self, layer: Layer, inputs: int, latent: int) -> None:
        super().__init__()
        self.shape = layer.shape
        self.register_buffer("x", middles(layer.shape[0]), persistent=False)
        self.register_buffer("y", middles(layer.shape[1]), persistent=False)
        self.axis = nn.Linear(inputs, 2)
        self.widths = nn.Linear(TRUNK, 2 * len(WIDTHS))
        self.noise = nn.Linear(latent, 2 * layer.cells, bias=False)
        self.profile = nn.Conv2d(len(WIDTHS), CHANNELS, 1)
        self.near = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.told = nn.ModuleList(nn.Linear(TRUNK, CHANNELS) for _ in range(2))
        self.stirred = nn.ModuleList(nn.Conv2d(2, CHANNELS, 1, bias=False) for _ in range(2))
        self.law = nn.Conv2d(CHANNELS, 3, 1)
        self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        self.axis.weight.mul_(0.3)
        self.widths.weight.mul_(0.3)
        self.widths.bias.copy_(torch.tensor(WIDTHS * 2).log())
        nn.init.normal_(self.noise.weight, std=self.noise.in_features**-0.5)

    def forward(self, inputs: Tensor, trunk: Tensor, latent: Tensor) -> Tensor:
        """Cells on a log scale, dark where negative.  (N, Z + F), (N, T), (N, Z)"""
        noise = self.noise(latent).reshape(-1, 2, *self.shape)
        hidden = self.profile(self.profiles(inputs, trunk))
        for number, (condition, stirred) in enumerate(zip(self.told, self.stirred, strict=True)):
            hidden = self.near(hidden) if number else hidden
            hidden = hidden + condition(trunk)[:, :, None, None] + stirred(noise)
            hidden = leaky_relu(hidden, 0.2)
        middle, above, below = self.law(hidden).unbind(dim=1)
        own = noise[:, 1]
        spread = softplus(above) * torch.relu(own) - softplus(below) * torch.relu(-own)
        return middle + spread

    def profiles(self, inputs: Tensor, trunk: Tensor) -> Tensor:
        """Logarithms of the parts of logistic showers in each cell.  (N, widths, nx, ny)"""
        axis = 1.2 * torch.tanh(self.axis(inputs))
        widths = self.widths(trunk).clamp(-6, 2).exp()
        along_x, along_y = widths.split(len(WIDTHS), dim=1)
        part_x = log_part(self.x, axis[:, :1], along_x, 1 / self.shape[0])
        part_y = log_part(self.y, axis[:, 1:], along_y, 1 / self.shape[1])
        # A fifth: cells a few widths away are then of order one.
        return (part_x[:, :, :, None] + part_y[:, :, None, :]) / 5


def middles(cells: int) -> Tensor:
    """Middles of cells from -1 to 1.  (cells,)"""
    return (torch.arange(cells) + 0.5) * (2 / cells) - 1


def log_part(middle: Tensor, axis: Tensor, width: Tensor, half: float) -> Tensor:
    r"""Logarithm of the part of a logistic distribution within each cell.  (N, widths, cells)

    .. math:: \log(\sigma(b) - \sigma(a)) = \log\sigma(b) + \log\sigma(-a) + \log(1 - e^{a - b})
    """
    width = width[:, :, None]
    place = middle[None, None, :] - axis[:, :, None]
    upper, lower = (place + half) / width, (place - half) / width
    return torch.log(1 - torch.exp(-2 * half / width)) - softplus(-upper) - softplus(lower)
