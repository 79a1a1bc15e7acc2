"""Generators that a good judge must see through, made of real showers.

Shapes: N judged rows, M training rows, K cells. An impostor gives one shower for each row of
``real``, drawn from other real showers ``others`` of the same particles; a new one is one function
and one row of ``IMPOSTORS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate import baselines, repeats
from caloforge.simulator.sampling import Sampling, draw_counts

if TYPE_CHECKING:
    from caloforge.data.showers import Showers
    from caloforge.detector import Detector

SCALE = 1.02
Cells = NDArray[Any]


@dataclass(frozen=True)
class Impostor:
    """A way to look like a simulator."""

    name: str
    title: str
    of: Callable[[Showers, Showers | None, np.random.Generator], Cells]
    """(real, train, rng) -> cells (N, K), one shower for each row of ``real``."""
    applies: Callable[[Detector, Showers | None], bool] = lambda detector, train: True


def ignores_conditions(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """Real showers of other particles.  (N, K)"""
    return baselines.shuffled(real, real if train is None else train, rng)


def mean_image(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """The mean image of each particle, again and again.  (N, K)"""
    del train
    return draw_counts(_means(real), _sampling(real.detector, "rounding"), rng)


def independent_poisson(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """Every cell by itself, a Poisson count around the mean image.  (N, K)"""
    del train
    return draw_counts(_means(real), "poisson", rng)


def replays_training(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """Showers of the nearest training particle.  (N, K)"""
    assert train is not None
    return baselines.nearest(real, train, rng)


def dead_channel(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """The first channel of the default scheme stays dark.  (N, K)"""
    del train, rng
    cells = real.cells.copy()
    cells[:, np.asarray(real.detector.scheme().of_cell) == 0] = 0
    return cells


def energy_up(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """All cells 2 % brighter.  (N, K)"""
    del train
    scaled = real.cells.astype(np.float32) * np.float32(SCALE)
    return draw_counts(scaled, _sampling(real.detector, "rounding"), rng)


def towers_permuted(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """Quarters of the face in a circle; for several layers, each layer's.  (N, K)"""
    del train, rng
    images = {}
    for name, image in real.detector.split(real.cells).items():
        x, y = (n // 2 for n in image.shape[1:])
        turned = image.copy()
        corners = [(slice(0, x), slice(0, y)), (slice(0, x), slice(-y, None))]
        corners += [(slice(-x, None), slice(-y, None)), (slice(-x, None), slice(0, y))]
        for source, target in zip(corners, [*corners[1:], corners[0]], strict=True):
            if x and y:
                turned[:, target[0], target[1]] = image[:, source[0], source[1]]
        images[name] = turned
    return real.detector.join(images)


def transposed(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """Cells written column by column and read row by row.  (N, K)"""
    del train, rng
    images = {
        name: np.ascontiguousarray(image.transpose(0, 2, 1)).reshape(image.shape)
        for name, image in real.detector.split(real.cells).items()
    }
    return real.detector.join(images)


IMPOSTORS: tuple[Impostor, ...] = (
    Impostor("ignores_conditions", "it ignores its conditions", ignores_conditions),
    Impostor("mean_image", "one mean image per particle", mean_image),
    Impostor(
        "independent_poisson",
        "independent Poisson cells around the mean image",
        independent_poisson,
        lambda detector, _: detector.counts,
    ),
    Impostor(
        "replays_training",
        "replayed training showers",
        replays_training,
        lambda _, train: train is not None,
    ),
    Impostor("dead_channel", "a dead channel", dead_channel),
    Impostor("energy_up", "an energy scale that is off", energy_up),
    Impostor("towers_permuted", "towers permuted", towers_permuted),
    Impostor("transposed", "cells transposed", transposed),
)


def _means(real: Showers) -> NDArray[np.float32]:
    """Mean image of the particle of each row.  (N, K)"""
    particles, slot = repeats.slots(real.particle)
    return baselines.mean_images(real.cells, slot, len(particles))[slot]


def _sampling(detector: Detector, counts: Sampling) -> Sampling:
    return counts if detector.counts else "continuous"
