"""How strongly a shower follows an attribute: slopes of a linear fit, generated beside real.

Shapes: N showers, C conditions, B resamplings, k regressors.

Least squares of the observable on all conditions at once, so that an attribute is not credited with
what another one does; the slope of the attribute is one coefficient of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate import repeats
from caloforge.evaluate.attributes import Attribute, attributes
from caloforge.evaluate.layout import layout_of
from caloforge.evaluate.measured import Measured, measured, resamplings
from caloforge.evaluate.observables import values_of

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
RESAMPLINGS = 200
CONSTANT = "does not vary"


@dataclass(frozen=True)
class Slope:
    """Slope of an observable with an attribute, of both samples."""

    attribute: Attribute
    real: Measured
    generated: Measured
    difference: Measured
    """Generated minus real under the same resamplings of the particles."""


def slopes(real: Showers, generated: Showers, *, rng: np.random.Generator) -> tuple[Slope, ...]:
    """Slopes of all attributes, errors by bootstrap over the particles that both samples have."""
    detector, layout = real.detector, layout_of(real.detector)
    names, *both = repeats.shared_slots(real.particle, generated.particle)
    weights = resamplings(len(names), RESAMPLINGS, rng)
    found = []
    for attribute in attributes(detector):
        sides = []
        for showers, slot in zip((real, generated), both, strict=True):
            kept = np.flatnonzero(slot >= 0)
            seen = values_of(showers.cells[kept], (attribute.observable,), layout)
            regressors = regressors_of(attribute, showers.conditions[kept])
            sides.append(slope(seen[attribute.observable.name], regressors, weights[:, slot[kept]]))
        numbers = [measured(side, CONSTANT) for side in (*sides, sides[1] - sides[0])]
        found.append(Slope(attribute, *numbers))
    return tuple(found)


def regressors_of(attribute: Attribute, conditions: Values) -> Values:
    """The attribute first, then all conditions that are another number.  (N, k)"""
    own = attribute.of(conditions)
    others = [c for c in conditions.T if not np.array_equal(c, own)]
    return np.column_stack([own, *others])


def slope(observed: Values, regressors: Values, weights: Values) -> Values:
    """Coefficient of the first regressor beside all others and a constant.  (N,), (N, k), (B, N)

    NaN where it does not vary. Showers without the observable do not count.  (B,)
    """
    known = np.isfinite(observed)
    values, weights = observed[known], weights[:, known]
    spread = regressors[known].std(axis=0) if known.any() else np.zeros(regressors.shape[1])
    if not spread[0] > 0 or known.sum() <= regressors.shape[1]:
        return np.full(len(weights), np.nan)
    varying = regressors[known][:, spread > 0]
    scaled = (varying - varying.mean(axis=0)) / spread[spread > 0]
    table = np.column_stack([scaled, np.ones(len(scaled))])
    size = table.shape[1]
    products = (table[:, :, None] * table[:, None, :]).reshape(len(table), -1)
    squares = (weights @ products).reshape(-1, size, size)
    right = weights @ (table * values[:, None])
    # A tiny ridge: a resampling of few particles may make two regressors one.
    squares = squares + 1e-9 * weights.sum(axis=1)[:, None, None] * np.eye(size)
    found: Values = np.linalg.solve(squares, right[:, :, None])[:, 0, 0] / spread[0]
    return found
