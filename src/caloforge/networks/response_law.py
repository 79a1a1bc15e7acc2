"""The law of the response of real showers, from which a generator starts.

Shapes: N rows, E energies, Q levels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

ENERGIES = 8
"""Energies at which quantiles are kept; between them they are interpolated."""
LEVELS = 41
OUTERMOST = 2.8
"""Deviations of the normal law at the last levels; one shower in 200 lies beyond."""
LEAST_STEP = 1e-3
"""Between logarithms of energies, where the particles have but one."""


class ResponseLaw(nn.Module):
    r"""Logarithm of the response as a quantile of real showers near the same energy.  (N, 1)

    .. math:: \ln r = Q_E(\Phi(u))

    Piecewise linear in u and in the logarithm of the energy. A normal u gives the responses of
    real showers, be they a peak of particles that do not interact beside a broad band of those
    that do; a network that shifts u moves along them and never beyond the last.
    """

    logs: Tensor
    levels: Tensor
    quantiles: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("levels", torch.linspace(-OUTERMOST, OUTERMOST, LEVELS))
        self.register_buffer("logs", torch.linspace(0.0, 1.0, ENERGIES))
        self.register_buffer("quantiles", torch.zeros(LEVELS, ENERGIES))

    @torch.no_grad()
    def fit(self, logs: Tensor, energies: Tensor) -> None:
        """Take the quantiles of logarithms of responses at their energies.  (n,), (n,)"""
        order = logs.argsort()
        logs, at = logs[order], energies[order].log()
        step = ((at.max() - at.min()) / (ENERGIES - 1)).clamp(min=LEAST_STEP)
        self.logs.copy_(at.min() + step * torch.arange(ENERGIES, device=at.device))
        below = torch.special.ndtr(self.levels.double())
        for number, energy in enumerate(self.logs):
            near = relu(1 - 2 * (at - energy).abs() / step).double()
            if near.sum() == 0:  # no shower near this energy
                self.quantiles[:, number] = self.quantiles[:, number - 1]
                continue
            passed = (near.cumsum(0) - near / 2) / near.sum()
            place = torch.searchsorted(passed, below).clamp(max=len(logs) - 1)
            self.quantiles[:, number] = logs[place]

    def forward(self, normal: Tensor, energy: Tensor) -> Tensor:
        """Of a normal variable and an energy.  (N, 1), (N, 1) -> (N, 1)"""
        of_energy = hats(torch.log(energy.clamp(min=1e-6)), self.logs)
        of_level = hats(normal, self.levels) @ self.quantiles
        return (of_energy * of_level).sum(dim=1, keepdim=True)


def hats(value: Tensor, knots: Tensor) -> Tensor:
    """Weights of evenly spaced knots in linear interpolation, constant outside.  (N, knots)"""
    inside = torch.minimum(torch.maximum(value, knots[:1]), knots[-1:])
    return relu(1 - (inside - knots).abs() / (knots[1] - knots[0]))
