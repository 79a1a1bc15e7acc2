"""Can the attributes of a particle be read back from its shower? By a regressor of real showers.

Shapes: N showers, d inputs, a attributes, B resamplings.

The regressor learns on real training showers only and takes part in no training. R2 = 1 - mean
square miss / variance of the attribute, on real showers that it never saw (what can be known at
all) and on generated ones (what the generator put into them).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate import repeats
from caloforge.evaluate.inputs import cells_and_observables
from caloforge.evaluate.measured import Measured, measured, resamplings
from caloforge.evaluate.schooling import Loss, Schooling, standardised, trained_answers

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
READER = Schooling("reader", (256, 256), 1e-3, 256, 40, 6)
VALIDATION_PART = 0.1
RESAMPLINGS = 200


@dataclass(frozen=True)
class Readable:
    """How well one condition can be read back."""

    name: str
    real: Measured
    generated: Measured
    ratio: Measured
    """Generated over real R2, under the same resamplings of the particles."""


def read_back(
    train: Showers,
    real: Showers,
    generated: Showers,
    *,
    seed: int = 0,
    schooling: Schooling = READER,
) -> tuple[Readable, ...]:
    """R2 of every condition that varies; ``train`` holds real showers of other particles.

    Raises CaloforgeError where torch is not installed.
    """
    names = real.detector.columns
    varying = np.flatnonzero(train.conditions.std(axis=0) > 0)
    middle, scale = (getattr(train.conditions[:, varying], m)(axis=0) for m in ("mean", "std"))
    samples = (train, real, generated)
    targets = [(s.conditions[:, varying] - middle) / scale for s in samples]
    missed = _misses(samples, targets, seed, schooling)
    _, *both = repeats.shared_slots(real.particle, generated.particle)
    particles = max(int(slot.max(initial=-1)) for slot in both) + 1
    rng = np.random.default_rng([seed, 0xA77])
    weights = resamplings(particles, RESAMPLINGS, rng)
    found = []
    for place, column in enumerate(varying):
        sides = [
            r_squared(miss[:, place][slot >= 0], target[:, place][slot >= 0], weights[:, kept])
            for miss, target, slot in zip(missed, targets[1:], both, strict=True)
            for kept in (slot[slot >= 0],)
        ]
        ratio = sides[1] / np.where(sides[0] > 0, sides[0], np.nan)
        found.append(Readable(names[column], *(measured(n) for n in (*sides, ratio))))
    return tuple(found)


def r_squared(miss: Values, target: Values, weights: Values) -> Values:
    """1 - mean square miss over variance, NaN where the target does not vary.  (N,), (B, N)"""
    mass = weights.sum(axis=1)
    mean = weights @ target / mass
    variance = weights @ target**2 / mass - mean**2
    square = weights @ miss**2 / mass
    found: Values = 1 - square / np.where(variance > 0, variance, np.nan)
    return found


def _misses(
    samples: tuple[Showers, ...], targets: list[Values], seed: int, schooling: Schooling
) -> list[Values]:
    """Answer minus truth for the real and the generated showers, in the units of the targets."""
    inputs = np.concatenate(cells_and_observables(*samples))
    truth = np.concatenate(targets).astype(np.float32)
    rng = np.random.default_rng([seed, 0xF17])
    shuffled = rng.permutation(len(samples[0]))
    held = max(1, round(VALIDATION_PART * len(shuffled)))
    validation, learned = shuffled[:held], shuffled[held:]
    answers = trained_answers(
        standardised(inputs, learned),
        truth,
        truth.shape[1],
        _mean_square,
        learned,
        validation,
        schooling,
        seed,
    )
    ends = np.cumsum([len(s) for s in samples])
    return [(answers - truth)[start:stop] for start, stop in pairwise(ends)]


def _mean_square() -> Loss:
    from torch.nn.functional import mse_loss

    return mse_loss
