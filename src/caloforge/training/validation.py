"""Which generator is the best: one number on the validation particles, never on the test ones.

Shapes: N validation rows, Z latents, K cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caloforge.data.showers import Showers
from caloforge.evaluate.metrics.wasserstein import fast_score
from caloforge.objectives import NonFinite
from caloforge.simulator.sampling import LARGEST_COUNT, Sampling, draw_counts, draw_latents

ROWS = 1024


@dataclass(frozen=True)
class Validation:
    """The real showers to come near to, with latents that stay the same through a run."""

    real: Showers
    latents: Tensor
    sampling: Sampling
    seed: int

    @classmethod
    def of(cls, real: Showers, latent_size: int, sampling: Sampling, seed: int) -> Validation:
        """Latents for every row, from the seed of the run."""
        latents = draw_latents(np.random.default_rng(seed), len(real), latent_size)
        return cls(real, torch.from_numpy(latents), sampling, seed)

    def score(self, generator: nn.Module, device: torch.device) -> Score:
        """Distance of one generated shower per row, drawn as ``generate`` draws, from the real.

        Raises NonFinite where the generator gives NaN.
        """
        rates = self._rates(generator, device)
        if np.isnan(rates).any():
            raise NonFinite("the generator's showers are NaN: training stopped")
        if self.real.detector.counts:
            # A generator that still explodes gets a bad score, not an error.
            rates = np.clip(rates, 0, np.nextafter(np.float32(LARGEST_COUNT), np.float32(0)))
        cells = draw_counts(rates, self.sampling, np.random.default_rng([self.seed, 1]))
        generated = replace(self.real, cells=cells)
        return Score(fast_score(self.real, generated, seed=self.seed), empty=empty_part(generated))

    @cached_property
    def really_empty(self) -> float:
        """Part of the real showers without any light."""
        return empty_part(self.real)

    @torch.no_grad()
    def _rates(self, generator: nn.Module, device: torch.device) -> NDArray[np.float32]:
        conditions = torch.from_numpy(self.real.conditions.astype(np.float32))
        parts = [
            generator(latents.to(device), batch.to(device)).float().cpu()
            for latents, batch in zip(
                torch.split(self.latents, ROWS), torch.split(conditions, ROWS), strict=True
            )
        ]
        return torch.cat(parts).numpy()


@dataclass(frozen=True)
class Score:
    """How good a generator is, and whether it gives light at all."""

    distance: float
    empty: float
    """Part of the generated showers that are empty."""


def empty_part(showers: Showers) -> float:
    """Part of showers without any light; 0 for coordinates."""
    return 0.0 if showers.detector.signed else float((~showers.cells.any(axis=1)).mean())


@dataclass
class Best:
    """The generator with the lowest score so far."""

    score: float = float("inf")
    step: int = -1
    weights: dict[str, Tensor] | None = None

    def offer(self, score: float, step: int, generator: nn.Module) -> bool:
        """Keep the generator if its score is the lowest; True if it is."""
        if not score < self.score:
            return False
        self.score, self.step = score, step
        self.weights = {name: value.clone() for name, value in generator.state_dict().items()}
        return True
