"""The hit classifier that O2 asks before it runs a generator: can this particle give any light?

Shapes: N showers. O2 asks for every primary of an event, and nearly all of them miss. What decides
is where a straight flight meets the front face: the classifier is the range of impact points from
which training showers gave light, and a margin. What is lost by it is measured on particles that
it was not made from. A network on all conditions was tried and dropped: it skipped fewer of the
empty showers and lost more light, as it learned bright particles near the edges by heart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import ShowerFile
from caloforge.data.split import split_by_particle
from caloforge.detector import Detector
from caloforge.detector.features import Feature
from caloforge.errors import CaloforgeError, DataError

LARGEST_LOSS = 1e-3
"""Share of the light that a classifier may lose."""
MARGIN_CM = 0.05


@dataclass(frozen=True)
class Table:
    """What the classifier learns from: conditions, the light of each shower, the particle."""

    detector: Detector
    conditions: NDArray[np.float64]
    light: NDArray[np.float64]
    particle: NDArray[np.int64]


@dataclass(frozen=True)
class HitClassifier:
    """A hit is a particle whose impact point lies within these ranges."""

    detector: Detector
    ranges_cm: dict[str, tuple[float, float]]
    """Of each impact feature."""
    lost_light: float
    """Share of the light of particles that it was not made from."""
    empty_skipped: float
    """Share of their showers without light that it saves."""
    test_rows: int

    @property
    def features(self) -> tuple[Feature, ...]:
        """The impact features."""
        return impact_points(self.detector)

    def hits(self, conditions: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which particles can give light.  (N, C) -> (N,)"""
        return inside(self.detector, self.ranges_cm, conditions)

    def record(self) -> dict[str, object]:
        """What a card tells of it."""
        names = ("ranges_cm", "lost_light", "empty_skipped", "test_rows")
        return {"kind": "trained"} | {name: getattr(self, name) for name in names}


def read_table(path: str | Path, detector: Detector) -> Table:
    """Conditions and light of a showers file, without its images."""
    with ShowerFile(path, detector) as file:
        light = np.concatenate([chunk.total() for chunk in file.chunks()])
        return Table(detector, file.conditions, light, file.particle)


def train(table: Table, *, seed: int = 0) -> HitClassifier:
    """Ranges from four fifths of the particles, measured on the others.

    Raises DataError when no shower has light, CaloforgeError when more than 0.1 % of it is lost.
    """
    split = split_by_particle(table.particle, seed=seed)
    train_rows = np.isin(table.particle, split.train)
    bright = table.conditions[train_rows & (table.light > 0)]
    if not len(bright) or not impact_points(table.detector):
        raise DataError("no light or no impact point to learn from: use --hit-classifier always")
    ranges = {
        feature.name: (float(place.min()) - MARGIN_CM, float(place.max()) + MARGIN_CM)
        for feature in impact_points(table.detector)
        for place in [places(table.detector, feature, bright)]
    }
    is_hit = inside(table.detector, ranges, table.conditions)
    test, empty = ~train_rows, table.light == 0
    lost_light = share(table.light[test & ~is_hit].sum(), table.light[test].sum())
    if lost_light >= LARGEST_LOSS:
        raise CaloforgeError(
            f"the hit classifier loses {lost_light:.2%} of the light (allowed {LARGEST_LOSS:.1%}): "
            f"give more showers with --data, or --hit-classifier always"
        )
    skipped = share((test & ~is_hit & empty).sum(), (test & empty).sum())
    return HitClassifier(table.detector, ranges, lost_light, skipped, int(test.sum()))


def impact_points(detector: Detector) -> tuple[Feature, ...]:
    """Where a flight meets planes across the beam; an axis may have several features."""
    return tuple(feature for feature in detector.features if feature.kind == "impact")


def places(
    detector: Detector, feature: Feature, conditions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """An impact feature of physical conditions, in cm.  (N, C) -> (N,)"""
    return feature.value(np, *(conditions[:, detector.column(name)] for name in feature.of))


def inside(
    detector: Detector, ranges_cm: dict[str, tuple[float, float]], conditions: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which impact points are within all ranges.  (N, C) -> (N,)"""
    is_hit = np.ones(len(conditions), dtype=bool)
    for feature in impact_points(detector):
        low, high = ranges_cm[feature.name]
        place = places(detector, feature, conditions)
        is_hit &= (place > low) & (place < high)
    return is_hit


def share(part: float, whole: float) -> float:
    """A part of a whole, 0 of nothing."""
    return float(part / whole) if whole else 0.0
