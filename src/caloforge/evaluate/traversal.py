"""What a generator does when one attribute is moved and its latents are held.

Shapes: N showers, K cells, C conditions, Z latents, l latents drawn, v values of the attribute.

arXiv:1711.08813, Figs. 3-5: averages of ten showers at each value, and their differences to the
middle one. Beside the pictures, real showers of conditions nearby, and the slope of the
attribute's observable for every latent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.evaluate.attributes import Attribute, attributes
from caloforge.evaluate.layout import layout_of
from caloforge.evaluate.measured import Measured
from caloforge.evaluate.observables import values_of

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
Expected = Callable[[NDArray[np.float32], NDArray[Any]], NDArray[np.float32]]
"""Cells of one batch: (latents (N, Z), conditions (N, C)) -> (N, K), as ``Simulator.expected``."""
STEPS, AVERAGED, LATENTS = 5, 10, 50
MOVED_WEIGHT = 10.0
"""Of the moved condition among all, where real showers are looked for."""


@dataclass(frozen=True)
class Traversal:
    """One attribute moved through its range, all others in the middle of theirs."""

    attribute: Attribute
    conditions: Values
    """All conditions at each value: one is moved, (v, C)."""
    at: Values
    """Values of the attribute, (v,)."""
    images: Values
    """Average of ten showers at each value, (v, K)."""
    observed: Values
    """The observable of every latent at each value, (l, v)."""
    slope: Measured
    """Mean over latents, with the error of that mean."""

    @property
    def condition(self) -> Values:
        """Values of the condition that was moved.  (v,)"""
        values: Values = self.conditions[:, self.attribute.column]
        return values


def traverse(
    expected: Expected,
    latents: int,
    detector: Detector,
    ranges: Mapping[str, tuple[float, float]],
    *,
    rng: np.random.Generator,
    steps: int = STEPS,
) -> tuple[Traversal, ...]:
    """All attributes of a detector; ``latents`` is Z, ``ranges`` those of the training."""
    drawn = rng.standard_normal((LATENTS, latents)).astype(np.float32)
    limits = np.array([ranges[name] for name in detector.columns])
    return tuple(
        _moved(expected, drawn, detector, limits, one, steps) for one in attributes(detector)
    )


def _moved(
    expected: Expected,
    drawn: NDArray[np.float32],
    detector: Detector,
    limits: Values,
    attribute: Attribute,
    steps: int,
) -> Traversal:
    conditions = np.tile(limits.mean(axis=1), (steps, 1))
    low, high = limits[attribute.column].tolist()
    conditions[:, attribute.column] = np.linspace(low, high, steps)
    images, observed = [], []
    for row in conditions:
        cells = expected(drawn, np.tile(row, (len(drawn), 1)))
        images.append(cells[:AVERAGED].mean(axis=0, dtype=np.float64))
        seen = values_of(cells, (attribute.observable,), layout_of(detector))
        observed.append(seen[attribute.observable.name])
    at, table = attribute.of(conditions), np.stack(observed, axis=1)
    each = line_slopes(at, table)
    known = each[np.isfinite(each)]
    slope = Measured(None, None, "does not vary")
    if len(known) > 1:
        slope = Measured(float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known))))
    return Traversal(attribute, conditions, at, np.stack(images), table, slope)


@dataclass(frozen=True)
class Beside:
    """Real showers beside a traversal."""

    condition: Values
    """Mean of the condition that was moved over the showers of each average, (v,)."""
    images: Values
    """Averages, (v, K)."""


def real_beside(moved: Traversal, real: Showers) -> Beside:
    """Averages of the ten real showers whose conditions are nearest to those of each value.

    Distances in standard deviations of each condition, of the moved one in tenths of it: all others
    should be in the middle, too, but few showers are.
    """
    column, spread = moved.attribute.column, real.conditions.std(axis=0)
    scale = np.where(spread > 0, spread, 1)
    scale[column] /= MOVED_WEIGHT
    rows = []
    for wanted in moved.conditions:
        away = np.square((real.conditions - wanted) / scale).sum(axis=1)
        rows.append(np.argsort(away, kind="stable")[:AVERAGED])
    means = [real.cells[near].mean(axis=0, dtype=np.float64) for near in rows]
    return Beside(real.conditions[np.stack(rows), column].mean(axis=1), np.stack(means))


def line_slopes(at: Values, observed: Values) -> Values:
    """Slope of a straight line through the values of each latent.  (v,), (l, v) -> (l,)"""
    away = at - at.mean()
    square = float(away @ away)
    if square == 0:
        return np.full(len(observed), np.nan)
    found: Values = observed @ away / square
    return found
