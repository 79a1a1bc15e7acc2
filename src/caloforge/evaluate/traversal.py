"""What a generator does when one attribute is moved and its latents are held.

Shapes: N showers, K cells, C conditions, Z latents, l latents drawn, v values of the attribute.

arXiv:1711.08813, Figs. 3-5: averages of ten showers at each value, and their differences to the
middle one. Beside the pictures, the slope of the attribute's observable for every latent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.evaluate.attributes import Attribute, attributes
from caloforge.evaluate.layout import layout_of
from caloforge.evaluate.measured import Measured
from caloforge.evaluate.observables import values_of

Values = NDArray[np.float64]
Expected = Callable[[NDArray[np.float32], NDArray[Any]], NDArray[np.float32]]
"""Cells of one batch: (latents (N, Z), conditions (N, C)) -> (N, K), as ``Simulator.expected``."""
STEPS, AVERAGED, LATENTS = 5, 10, 50


@dataclass(frozen=True)
class Traversal:
    """One attribute moved through its range, all others in the middle of theirs."""

    attribute: Attribute
    condition: Values
    """Values of the condition that was moved, (v,)."""
    at: Values
    """Values of the attribute, (v,)."""
    images: Values
    """Average of ten showers at each value, (v, K)."""
    observed: Values
    """The observable of every latent at each value, (l, v)."""
    slope: Measured
    """Mean over latents, with the error of that mean."""


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
    condition = np.linspace(low, high, steps)
    conditions[:, attribute.column] = condition
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
    return Traversal(attribute, condition, at, np.stack(images), table, slope)


def line_slopes(at: Values, observed: Values) -> Values:
    """Slope of a straight line through the values of each latent.  (v,), (l, v) -> (l,)"""
    away = at - at.mean()
    square = float(away @ away)
    if square == 0:
        return np.full(len(observed), np.nan)
    found: Values = observed @ away / square
    return found
