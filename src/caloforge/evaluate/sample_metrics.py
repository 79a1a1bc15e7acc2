"""Every two-sample metric of two samples of showers, by name.

Shapes: n and m showers, d features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.evaluate import repeats, separation
from caloforge.evaluate.classifier import classify
from caloforge.evaluate.gaussian import fpd, kpd
from caloforge.evaluate.measured import Measured, measured, resamplings
from caloforge.evaluate.neighbours import fidelity
from caloforge.evaluate.observables import Observed, observe
from caloforge.evaluate.repeats import Rows
from caloforge.evaluate.schooling import NEEDS_TORCH, Schooling
from caloforge.evaluate.transfer import transfer

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
RESAMPLINGS = 200
RANK_RESAMPLINGS = 10
"""A rank statistic sorts all rows for every resampling."""
Numbers = dict[str, Measured]


@dataclass(frozen=True)
class Sample:
    """Showers of one side: what is seen of them, and their particles; features (n, d)."""

    seen: Observed
    showers: Showers
    features: Values
    labels: tuple[str, ...]
    """Names of the channels."""


def metrics(a: Sample, b: Sample, schooling: Schooling | None, seed: int) -> Numbers:
    """Every metric of two samples."""
    rng = np.random.default_rng([seed, 2])
    numbers = dict(_separations(a, b, rng))
    numbers |= _gaussian(a, b, rng) | _neighbours(a, b, rng)
    if schooling is not None:
        numbers |= _classifiers(a, b, schooling, seed)
        numbers |= _transfer(a, b, schooling, seed)
    return numbers


def sample_of(showers: Showers, scheme: str | None) -> Sample:
    seen = observe(showers, scheme)
    columns = [values for name, values in seen.values.items() if name != "empty"]
    labels = showers.detector.scheme(scheme).labels
    return Sample(seen, showers, np.column_stack([seen.channels, *columns]), labels)


def named_columns(sample: Sample) -> list[tuple[str, Values, bool]]:
    """Name and values of channels and observables, and whether they are energies."""
    channels = [(label, sample.seen.channels[:, n], True) for n, label in enumerate(sample.labels)]
    shapes = [(n, v, n == "total") for n, v in sample.seen.values.items() if n != "empty"]
    return [*channels, *shapes]


def _separations(a: Sample, b: Sample, rng: np.random.Generator) -> Iterator[tuple[str, Measured]]:
    """Histogram distances of every channel and observable."""
    _, slot = repeats.slots(a.showers.particle)
    slots = [slot, repeats.slots(b.showers.particle)[1]]
    # Halves of the particles share none: both are resampled by the same places all the same.
    particles = max(int(s.max()) + 1 for s in slots)
    weights = resamplings(particles, RESAMPLINGS, rng)
    for (name, x, energy), (_, y, _) in zip(named_columns(a), named_columns(b), strict=True):
        if not np.isfinite(x).any() or not np.isfinite(y).any():
            continue
        for prefix, edges in (
            ("separation", separation.challenge_edges(x, energy=energy)),
            ("separation10", separation.calogan_edges(x, y)),
        ):
            counts = [
                separation.counts_by_particle(v, s, particles, edges)
                for v, s in zip((x, y), slots, strict=True)
            ]
            power = separation.weighted_separation(counts[0], counts[1], weights)
            yield f"{prefix}_{name}", measured(power)
        for prefix, test in (
            ("ks", separation.kolmogorov_smirnov),
            ("mann_whitney", separation.mann_whitney),
        ):
            yield f"{prefix}_{name}", _resampled(test, x, y, slots, weights[: 1 + RANK_RESAMPLINGS])


def _resampled(
    test: Callable[[Values, Values], separation.RankTest],
    x: Values,
    y: Values,
    slots: list[Rows],
    weights: Values,
) -> Measured:
    """A rank statistic whose error comes from few resamplings of the particles.

    NaN where none of the few showers that have a value is drawn: nearly all are empty.
    """
    drawn = [
        [np.repeat(v, w[s].astype(int)) for v, s in zip((x, y), slots, strict=True)]
        for w in weights
    ]
    found = [
        test(a, b).statistic if np.isfinite(a).any() and np.isfinite(b).any() else np.nan
        for a, b in drawn
    ]
    return measured(np.array(found))


def _gaussian(a: Sample, b: Sample, rng: np.random.Generator) -> Numbers:
    try:
        return {
            "fpd": fpd(a.features, b.features, rng=rng),
            "kpd": kpd(a.features, b.features, rng=rng),
        }
    except DataError as error:
        return dict.fromkeys(("fpd", "kpd"), Measured(None, None, str(error)))


def _neighbours(a: Sample, b: Sample, rng: np.random.Generator) -> Numbers:
    try:
        found = fidelity(a.features, b.features, rng=rng)
    except DataError as error:
        names = ("precision", "density", "recall", "coverage")
        return dict.fromkeys(names, Measured(None, None, str(error)))
    return dict(vars(found))


def _classifiers(a: Sample, b: Sample, schooling: Schooling, seed: int) -> Numbers:
    """AUC and JSD on cells and on observables."""
    numbers: Numbers = {}
    levels: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "low": (_cells(a), _cells(b)),
        "high": (a.features, b.features),
    }
    for level, inputs in levels.items():
        try:
            _require_torch()
            told = classify(
                *inputs,
                a.showers.particle,
                b.showers.particle,
                seed=seed,
                schooling=schooling,
            )
            numbers |= {f"auc_{level}": told.auc, f"jsd_{level}": told.jsd}
        except DataError as error:
            missing = Measured(None, None, str(error))
            numbers |= {f"auc_{level}": missing, f"jsd_{level}": missing}
    return numbers


def _transfer(a: Sample, b: Sample, schooling: Schooling, seed: int) -> Numbers:
    try:
        _require_torch()
        found = transfer(a.showers, b.showers, seed=seed, schooling=schooling).accuracy
    except DataError as error:
        return {"transfer_generated_real": Measured(None, None, str(error))}
    return {f"transfer_{trained}_{tested}": m for (trained, tested), m in found.items()}


def _require_torch() -> None:
    if find_spec("torch") is None:
        raise DataError(NEEDS_TORCH)


def _cells(sample: Sample) -> NDArray[np.float32]:
    cells = sample.showers.cells.astype(np.float32)
    return cells if sample.showers.detector.signed else np.sqrt(cells)
