"""Train on one engine, test on the other: can kinds of particles still be told apart?

Shapes: N showers, d inputs.

Table 3 of arXiv:1712.10321. A classifier of kinds that is trained on generated showers and tested
on real ones shows whether kinds differ for the same reasons; generated showers that are told apart
better than real ones have mode artefacts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.evaluate.classifier import train_and_score
from caloforge.evaluate.measured import Measured, measured, resamplings
from caloforge.evaluate.schooling import DEFAULT, Schooling, standardised

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
LEAST_PARTICLES = 20
RESAMPLINGS = 200
TEST_PART = 0.3
VALIDATION_PART = 0.2


@dataclass(frozen=True)
class Transfer:
    """Accuracy of a classifier of kinds, by what it was trained and tested on."""

    kinds: tuple[int, ...]
    accuracy: dict[tuple[str, str], Measured]
    """By (trained on, tested on), each ``real`` or ``generated``."""


def transfer(
    real: Showers, generated: Showers, *, seed: int = 0, schooling: Schooling = DEFAULT
) -> Transfer:
    """Accuracy between the two most frequent kinds of particles, for all four combinations.

    Balanced over kinds. Raises DataError unless both samples name two kinds with 20 particles each.
    """
    kinds = common_kinds(real, generated)
    samples = {"real": _of_kinds(real, kinds), "generated": _of_kinds(generated, kinds)}
    particles = np.unique(np.concatenate([s.particle for s in samples.values()]))
    shuffled = np.random.default_rng([seed, 0x72A]).permutation(particles)
    edges = (np.cumsum([TEST_PART, VALIDATION_PART]) * len(shuffled)).round().astype(int)
    test, validation, train = np.split(shuffled, edges)
    found = {}
    for trained in samples:
        for tested in samples:
            found[trained, tested] = _accuracy(
                samples[trained], samples[tested], (train, validation, test), kinds, schooling, seed
            )
    return Transfer(kinds, found)


def common_kinds(real: Showers, generated: Showers) -> tuple[int, int]:
    """The two kinds (pdg) with most particles; DataError where there are none."""
    if real.pdg is None or generated.pdg is None:
        raise DataError("the files do not tell the kinds of their particles (pdg)")
    numbers = {
        int(kind): len(np.unique(real.particle[real.pdg == kind]))
        for kind in np.intersect1d(real.pdg, generated.pdg)
    }
    known = sorted(
        (k for k, n in numbers.items() if n >= LEAST_PARTICLES), key=lambda k: -numbers[k]
    )
    if len(known) < 2:
        raise DataError(f"fewer than two kinds with {LEAST_PARTICLES} particles each")
    return known[0], known[1]


def _accuracy(
    trained: Showers,
    tested: Showers,
    parts: tuple[NDArray[np.int64], ...],
    kinds: tuple[int, ...],
    schooling: Schooling,
    seed: int,
) -> Measured:
    """Mean over kinds of the part that is recognised, errors by bootstrap over particles."""
    inputs = np.concatenate([_inputs(trained), _inputs(tested)])
    particle = np.concatenate([trained.particle, tested.particle])
    pdg = np.concatenate([_pdg(trained), _pdg(tested)])
    classes = (pdg == kinds[1]).astype(np.int64)
    own = np.arange(len(inputs)) < len(trained)
    train, validation = (np.flatnonzero(own & np.isin(particle, part)) for part in parts[:2])
    held = np.flatnonzero(~own & np.isin(particle, parts[2]))
    scores = train_and_score(
        standardised(inputs, train), classes, train, validation, schooling, seed
    )
    right = (scores.argmax(axis=1) == classes)[held]
    names, slot = np.unique(particle[held], return_inverse=True)
    weights = resamplings(len(names), RESAMPLINGS, np.random.default_rng([seed, 1]))
    weights = weights[:, slot.reshape(-1)]
    each = [
        (weights[:, chosen] @ right[chosen]) / np.maximum(weights[:, chosen].sum(axis=1), 1e-30)
        for chosen in (classes[held] == 0, classes[held] == 1)
    ]
    return measured(np.mean(each, axis=0))


def _inputs(showers: Showers) -> NDArray[np.float32]:
    """Square roots of the cells, which spreads faint ones.  (N, K)"""
    return np.asarray(np.sqrt(np.maximum(showers.cells, 0).astype(np.float32)))


def _pdg(showers: Showers) -> NDArray[np.int32]:
    assert showers.pdg is not None
    return showers.pdg


def _of_kinds(showers: Showers, kinds: tuple[int, ...]) -> Showers:
    return showers.rows(np.flatnonzero(np.isin(_pdg(showers), kinds)))
