"""What each attribute of a particle does to a layered shower: an observable that follows it.

Shapes: N showers, K cells, C conditions.

Energy moves the total, an impact point the centre along its axis, an angle to an axis the centre
from the first layer to the second, and the polar angle the width: a slanted shower is smeared over
the depth of a layer whichever way it leans, so the width grows with the square of the angle. The
rules read the units and axes of the Detector; a condition that fits none is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Axis, Condition, Detector
from caloforge.evaluate.layered import shift
from caloforge.evaluate.observable import Observable
from caloforge.evaluate.shapes import SHAPES, TOTAL

Values = NDArray[np.float64]
CENTRE = {"x": SHAPES[0], "y": SHAPES[1]}
WIDTH = SHAPES[2]
POLAR = "polar"


@dataclass(frozen=True)
class Attribute:
    """A number of the particle, and the number of the shower that follows it."""

    name: str
    unit: str
    column: int
    """The condition that a traversal varies."""
    of: Callable[[Values], Values]
    """(N, C) -> (N,)"""
    observable: Observable


def attributes(detector: Detector) -> tuple[Attribute, ...]:
    """Those of the conditions of a layered detector, in their order; the polar angle last."""
    return tuple(_found(detector)) if len(detector.layers) > 1 else ()


def _found(detector: Detector) -> Iterator[Attribute]:
    slants = _slants(detector)
    for column, condition in enumerate(detector.conditions):
        observable = _follows(detector, condition, slanted=column in slants)
        if observable is not None:
            of = partial(_column, column=column)
            yield Attribute(condition.name, condition.unit, column, of, observable)
    if slants:
        of = partial(polar_squared, angles=tuple(slants.items()))
        yield Attribute("polar angle squared", "rad²", max(slants), of, WIDTH)


def _slants(detector: Detector) -> dict[int, float]:
    """Columns of the angles that lean a shower, and where they do not: one an axis, or the polar.

    An azimuth without its partner leans nothing.
    """
    radians = {n: c for n, c in enumerate(detector.conditions) if c.unit == "rad"}
    pair = {n: c.mirror_at for n, c in radians.items() if c.axis}
    if {radians[n].axis for n in pair} == {"x", "y"}:
        return pair
    return {n: 0.0 for n, c in radians.items() if c.name == POLAR}


def _follows(detector: Detector, condition: Condition, *, slanted: bool) -> Observable | None:
    """The observable that a condition moves, None where no rule says."""
    if condition.name == detector.energy:
        return TOTAL
    if condition.axis and condition.unit == "mm":
        return CENTRE[condition.axis]
    if condition.axis and slanted:
        return between_layers(condition.axis)
    return None


def between_layers(axis: Axis) -> Observable:
    """How far the centre moves from the first to the second layer, in mm."""
    title = f"centre in {axis}, second layer - first"
    return Observable(f"shift_{axis}", title, "mm", partial(shift, layers=(0, 1), axis=axis))


def _column(conditions: Values, *, column: int) -> Values:
    values: Values = conditions[:, column]
    return values


def polar_squared(conditions: Values, *, angles: tuple[tuple[int, float], ...]) -> Values:
    """Square of the angle to the axis z, from two angles to the planes of the axes.  (N,)

    With theta = arccos(py / p) and phi = arctan(-px / pz): pz / p = cos(theta - pi / 2) cos(phi).
    ``angles`` are columns and where a shower does not lean.
    """
    along_z = np.prod([np.cos(conditions[:, n] - middle) for n, middle in angles], axis=0)
    square: Values = np.arccos(np.clip(along_z, -1, 1)) ** 2
    return square
