"""Whether 8-bit products leave the physics alone: W1 of the channel sums of many showers.

Shapes: N generated showers, M real ones, C conditions, c channels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.distances import w1_channels
from caloforge.simulator import Simulator

ALLOWED_SHARE = 0.1
HALVINGS = 16


@dataclass(frozen=True)
class Verdict:
    """W1 of the channel sums, mean over channels, in the detector's unit."""

    showers: int
    floor: float
    float32: float
    int8: float

    @property
    def excess(self) -> float:
        """What separates float32 from the floor."""
        return self.float32 - self.floor

    @property
    def passed(self) -> bool:
        """Whether int8 moves W1 by at most a tenth of that."""
        return abs(self.int8 - self.float32) <= ALLOWED_SHARE * self.excess

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"excess": self.excess, "passed": self.passed}

    def __str__(self) -> str:
        return (
            f"W1 of {self.showers} showers: float32 {self.float32:.4g}, int8 {self.int8:.4g}, "
            f"floor {self.floor:.4g}: a change of {abs(self.int8 - self.float32):.2g}, allowed "
            f"{max(0.0, ALLOWED_SHARE * self.excess):.2g} (a tenth of the excess over the floor)"
        )


def judge(
    float32: Simulator,
    int8: Simulator,
    conditions: NDArray[Any],
    real: NDArray[np.float64],
    *,
    showers: int,
    seed: int,
) -> Verdict:
    """W1 of both against the channel sums of real showers.  (M, C), (M, c)"""
    sums = [_sums(simulator, conditions, showers, seed) for simulator in (float32, int8)]
    distances = [float(w1_channels(real, other).mean()) for other in sums]
    return Verdict(showers, floor_of(real, np.random.default_rng(seed)), *distances)


def _sums(
    simulator: Simulator, conditions: NDArray[Any], showers: int, seed: int
) -> NDArray[np.float64]:
    drawn = simulator.batches(conditions, range(showers), seed=seed)
    return np.concatenate([simulator.detector.read_out(cells) for _, cells in drawn])


def floor_of(real: NDArray[np.float64], rng: np.random.Generator) -> float:
    """W1 of the real showers to their own law: half of what separates two halves of them.

    W1 of finite samples falls with the root of their size. Two halves of M / 2 carry a variance of
    4 / M; a large generated sample against M real showers carries 1 / M.
    """
    half = len(real) // 2
    distances = []
    for _ in range(HALVINGS):
        order = rng.permutation(len(real))
        distances.append(w1_channels(real[order[:half]], real[order[half : 2 * half]]).mean())
    return float(np.mean(distances)) / 2


__all__ = ["Verdict", "floor_of", "judge"]
