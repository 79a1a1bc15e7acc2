"""Which particles are for training, which for choosing a model, and which for judging it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError, UsageError
from caloforge.machine import require_seed

Fractions = tuple[float, float, float]
DEFAULT_FRACTIONS: Fractions = (0.8, 0.1, 0.1)
LEAKY = "leaky: repeats of one particle are in training and in test"


@dataclass(frozen=True)
class Split:
    """Particle numbers of three parts that share no particle."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class RowSplit:
    """Row numbers of three parts, for published protocols only; its label travels with results."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    label: str = LEAKY


def split_by_particle(
    particle: NDArray[np.int64], fractions: Fractions = DEFAULT_FRACTIONS, *, seed: int
) -> Split:
    """Split particles; it depends on their numbers and the seed, not on the order of rows."""
    return Split(*_parts(np.unique(particle), fractions, seed, "particles"))


def split_by_row(rows: int, fractions: Fractions = DEFAULT_FRACTIONS, *, seed: int) -> RowSplit:
    """Split rows as the public codes do, which lets particles leak."""
    train, validation, test = _parts(np.arange(rows, dtype=np.int64), fractions, seed, "rows")
    return RowSplit(train, validation, test)


def _parts(
    items: NDArray[np.int64], fractions: Fractions, seed: int, what: str
) -> list[NDArray[np.int64]]:
    if min(fractions) <= 0 or not np.isclose(sum(fractions), 1.0):
        raise UsageError(f"split fractions {fractions} must be positive and sum to 1")
    if len(items) < len(fractions):
        raise DataError(f"{len(items)} {what} cannot be split into three parts")
    shuffled = np.random.default_rng([require_seed(seed), 0x5B117]).permutation(items)
    # The small parts get at least one item each, training what remains.
    validation, test = (max(1, round(fraction * len(items))) for fraction in fractions[1:])
    test = min(test, len(items) - 2)
    validation = min(validation, len(items) - 1 - test)
    edges = [len(items) - validation - test, len(items) - test]
    return [np.sort(part) for part in np.split(shuffled, edges)]
