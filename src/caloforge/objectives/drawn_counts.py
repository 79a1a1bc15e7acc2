"""Drawn counts inside training: terms and critic see showers as ``generate`` writes them.

A generator with ten latents cannot make independent noise in every cell, real counts have it; so
the network gives rates, and counts are drawn from them, here too. Shapes: N rows, K cells.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log1p

import torch
from torch import Tensor

from caloforge.simulator.sampling import LARGE_RATE, NegativeBinomial, Sampling


def drawn(rates: Tensor, sampling: Sampling, random: torch.Generator) -> Tensor:
    """Counts drawn from rates, with the gradient of the rates (straight through).  (N, K)"""
    with torch.no_grad():
        # Detached: a law may return the rates themselves, whose gradient would count twice.
        counts = _counts(rates.detach(), sampling, random)
    # rates - rates is exactly 0: the value stays a whole number, the gradient passes.
    return counts if not rates.requires_grad else counts + (rates - rates.detach())


def _counts(rates: Tensor, sampling: Sampling, random: torch.Generator) -> Tensor:
    """Counts by a law.  (N, K)"""
    if sampling != "continuous":
        rates = rates.clamp(min=0)  # as generate does
    if isinstance(sampling, NegativeBinomial):
        return _clump(rates, sampling, random)
    return LAWS[sampling](rates, random)


def _clump(rates: Tensor, law: NegativeBinomial, random: torch.Generator) -> Tensor:
    """Negative binomial counts by inversion where there are any.  (N, K)

    Large rates follow the normal law with its first Cornish-Fisher term, rounded.
    """
    rates = rates.float()
    uniform = torch.rand(rates.shape, generator=random, device=rates.device)
    empty = torch.exp(-rates * _clumps(rates, law))
    nonzero = torch.nonzero((uniform >= empty).flatten())[:, 0]
    rate, level = (one.flatten().index_select(0, nonzero).double() for one in (rates, uniform))
    excess = (law.excess + law.slope * rate).clamp(min=1e-6)
    few = _terms_passed(level, rate.clamp(max=LARGE_RATE), excess)
    spread = 1 + excess
    skew = (2 * spread - 1) / 6
    normal = torch.randn(rate.shape, generator=random, device=rate.device, dtype=rate.dtype)
    width = torch.sqrt((rate * spread - 2 * skew**2 - 1 / 12).clamp(min=0))
    many = torch.round(rate + width * normal + skew * (normal**2 - 1)).clamp(min=0)
    counts = torch.zeros_like(rates)
    counts.view(-1)[nonzero] = torch.where(rate > LARGE_RATE, many, few).to(counts.dtype)
    return counts


def _clumps(rates: Tensor, law: NegativeBinomial) -> Tensor | float:
    """Expected clumps over expected counts, ln(1 + e) / e for an excess e.  (N, K)"""
    if law.slope == 0:
        return log1p(law.excess) / law.excess if law.excess else 1.0
    excess = (law.excess + law.slope * rates).clamp(min=1e-3)
    return torch.log1p(excess) / excess


def _terms_passed(level: Tensor, rate: Tensor, excess: Tensor) -> Tensor:
    """How many terms of the sum of probabilities a level passes.  (M,)"""
    a, b = excess / (1 + excess), (rate - excess) / (1 + excess)
    counts, cells = torch.zeros_like(rate), torch.arange(len(rate), device=rate.device)
    passed = counts.clone()  # of the cells that are left
    term = torch.exp(-rate * torch.log1p(excess) / excess)
    cumulative, number = term.clone(), 0
    while len(cells):
        more = level >= cumulative
        passed += more
        number += 1
        term = term * (a + b / number)
        if number & (number - 1) == 0 or number % 8 == 0:
            more &= (cumulative + term > cumulative) | (rate > number)
            counts[cells] = passed
            left = torch.nonzero(more)[:, 0]
            cells, level, rate, passed, term, cumulative, a, b = (
                column.index_select(0, left)
                for column in (cells, level, rate, passed, term, cumulative, a, b)
            )
        cumulative = cumulative + term
    return counts


def _round(rates: Tensor, random: torch.Generator) -> Tensor:
    """Stochastic rounding floor(rate + u), u uniform: its mean is the rate.  (N, K)"""
    uniform = torch.rand(rates.shape, generator=random, device=rates.device)
    return torch.floor(rates + uniform)


def _poisson(rates: Tensor, random: torch.Generator) -> Tensor:
    """Poisson counts.  (N, K)"""
    return torch.poisson(rates, generator=random)


def _continue(rates: Tensor, random: torch.Generator) -> Tensor:
    """The rates themselves.  (N, K)"""
    return rates


LAWS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "rounding": _round,
    "poisson": _poisson,
    "continuous": _continue,
}
