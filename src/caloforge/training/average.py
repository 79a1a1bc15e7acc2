"""The running average of the generator's weights: the generator that is evaluated and shipped."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    r"""Exponential moving average, corrected at the start so that short runs work too.

    .. math:: a_t = d_t a_{t-1} + (1 - d_t) w_t, \quad d_t = \min(d, (1 + t) / (10 + t))

    Without a decay the average is the generator as it stands. Running statistics are copied.
    """

    def __init__(self, network: nn.Module, decay: float | None) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take the weights after a step (counted from 0)."""
        decay = min(self._decay or 0.0, (1 + step) / (10 + step))
        averages: list[Tensor] = list(self.network.parameters())
        weights: list[Tensor] = list(network.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for average, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            average.copy_(buffer)
