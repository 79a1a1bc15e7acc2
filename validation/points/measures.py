"""Table 1 of arXiv:2207.01561: variance and W1 of each cluster, averaged by spread.

Shapes: N rows = 18 clusters x n points, adjacent by cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate import w1_channels
from validation.points.sample import CLUSTERS, DRAWS, draw

Figures = dict[str, float]
NAMES = ("variance_0", "variance_1", "w1_0", "w1_1")
"""By the spread bit; W1 in the unit of the coordinates."""
FLOOR_SEED = 5


def figures(real: NDArray[np.float32], generated: NDArray[np.float32]) -> Figures:
    """Variance and W1 per cluster and coordinate, averaged.  (N, 2), (N, 2) -> {name: value}

    The paper does not define its distance; its printed values agree with this one.
    """
    mine, theirs = (np.split(x.astype(np.float64), CLUSTERS) for x in (generated, real))
    variance = np.array([x.var(axis=0).mean() for x in mine])
    distance = np.array([w1_channels(x, y).mean() for x, y in zip(mine, theirs, strict=True)])
    values = {"variance": variance, "w1": distance}
    return {
        f"{name}_{bit}": float(value[bit::2].mean())
        for name, value in values.items()
        for bit in (0, 1)
    }


def floor(number: int, rng: np.random.Generator, pairs: int = 10) -> Figures:
    """The same between two real draws, averaged over pairs: what no generator can beat."""
    draws = [figures(draw(number, rng).cells, draw(number, rng).cells) for _ in range(pairs)]
    return {name: float(np.mean([one[name] for one in draws])) for name in NAMES}


def floors() -> dict[str, Figures]:
    """Noise floors of the figures for the sizes of the draws."""
    rng = np.random.default_rng(FLOOR_SEED)
    return {
        name: {figure: round(value, 4) for figure, value in floor(DRAWS[name][0], rng).items()}
        for name in ("validation", "test", "large")
    }


@cache
def least() -> dict[str, float]:
    """Noise floor of the validation points."""
    return floors()["validation"]


def score(distances: Mapping[str, float], least: Mapping[str, float]) -> float:
    """What chooses a weight on validation points: W1 over its floor, summed over both spreads."""
    return distances["w1_0"] / least["w1_0"] + distances["w1_1"] / least["w1_1"]
