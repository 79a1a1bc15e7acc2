"""Drawn counts inside training: terms and critic see showers as ``generate`` writes them.

A generator with ten latents cannot make independent noise in every cell, real counts have it; so
the network gives rates, and counts are drawn from them, here too. Shapes: N rows, K cells.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from caloforge.simulator.sampling import Sampling


def drawn(rates: Tensor, sampling: Sampling, random: torch.Generator) -> Tensor:
    """Counts drawn from rates, with the gradient of the rates (straight through).  (N, K)"""
    with torch.no_grad():
        # Detached: a law may return the rates themselves, whose gradient would count twice.
        counts = LAWS[sampling](rates.detach(), random)
    # rates - rates is exactly 0: the value stays a whole number, the gradient passes.
    return counts if not rates.requires_grad else counts + (rates - rates.detach())


def _round(rates: Tensor, random: torch.Generator) -> Tensor:
    """Stochastic rounding floor(rate + u), u uniform: its mean is the rate.  (N, K)"""
    uniform = torch.rand(rates.shape, generator=random, device=rates.device)
    return torch.floor(rates + uniform)


def _poisson(rates: Tensor, random: torch.Generator) -> Tensor:
    """Poisson counts.  (N, K)"""
    return torch.poisson(rates, generator=random)


def _continue(rates: Tensor, random: torch.Generator) -> Tensor:
    """The rates themselves.  (N, K)"""
    del random
    return rates


LAWS: dict[Sampling, Callable[[Tensor, torch.Generator], Tensor]] = {
    "rounding": _round,
    "poisson": _poisson,
    "continuous": _continue,
}
