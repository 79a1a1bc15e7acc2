"""Attributes of a layered detector: the observable that follows each condition, and traversals.

Shapes: N showers, K cells, C conditions, Z latents, l latents drawn, v values of the attribute.

Energy moves the total, an impact point the centre along its axis, an angle to an axis the centre
from the first layer to the second, and the polar angle the width: a slanted shower is smeared over
the depth of a layer whichever way it leans, so the width grows with the square of the angle. The
rules read the units and axes of the Detector; a condition that fits none is passed over.

Traversals (arXiv:1711.08813, Figs. 3-5): one attribute moves, latents are held; averages of ten
showers at each value and their differences to the middle one. Beside the pictures, real showers of
conditions nearby, and the slope of the attribute's observable for every latent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.deviations import divisors
from caloforge.data.showers import Showers
from caloforge.detector import Axis, Condition, Detector
from caloforge.evaluate.observables import SHAPES, TOTAL, Observable, layout_of, shift, values_of
from caloforge.evaluate.resampling import Measured

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
    """Those of the conditions of a layered detector, in their order; the polar angle last.

    Example:
        >>> from caloforge.detectors import ATLAS_EM
        >>> [one.name for one in attributes(ATLAS_EM)]
        ['E', 'theta', 'phi', 'x0', 'y0', 'polar angle squared']
    """
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
    return conditions[:, column]


def polar_squared(conditions: Values, *, angles: tuple[tuple[int, float], ...]) -> Values:
    """Square of the angle to the axis z, from two angles to the planes of the axes.  (N,)

    With theta = arccos(py / p) and phi = arctan(-px / pz): pz / p = cos(theta - pi / 2) cos(phi).
    ``angles`` are columns and where a shower does not lean.
    """
    along_z = np.prod([np.cos(conditions[:, n] - middle) for n, middle in angles], axis=0)
    return np.arccos(np.clip(along_z, -1, 1)) ** 2


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
        return self.conditions[:, self.attribute.column]


def traverse(
    expected: Expected,
    latents: int,
    detector: Detector,
    ranges: Mapping[str, tuple[float, float]],
    *,
    rng: np.random.Generator,
    steps: int = STEPS,
) -> tuple[Traversal, ...]:
    """Every attribute of a detector moved at fixed latents.

    Args:
        expected: Cells from latents (N, Z) and conditions (N, C), as ``Simulator.expected``.
        latents: Number of latents, Z.
        detector: Whose attributes they are.
        ranges: Of each condition in the training.
        rng: Random numbers of the latents.
        steps: Values of each attribute.

    References:
        Paganini, de Oliveira & Nachman, arXiv:1712.10321.

    Example:
        >>> from caloforge.detectors import ATLAS_EM
        >>> def flat(latent, conditions):
        ...     return np.repeat(conditions[:, :1] / ATLAS_EM.cells, ATLAS_EM.cells, axis=1)
        >>> ranges = dict.fromkeys(ATLAS_EM.columns, (1.0, 2.0))
        >>> traverse(flat, 2, ATLAS_EM, ranges, rng=np.random.default_rng(0))[0].at
        array([1.  , 1.25, 1.5 , 1.75, 2.  ])
    """
    latent = rng.standard_normal((LATENTS, latents)).astype(np.float32)
    limits = np.array([ranges[name] for name in detector.columns])
    return tuple(
        _moved(expected, latent, detector, limits, one, steps) for one in attributes(detector)
    )


def _moved(
    expected: Expected,
    latent: NDArray[np.float32],
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
        cells = expected(latent, np.tile(row, (len(latent), 1)))
        images.append(cells[:AVERAGED].mean(axis=0, dtype=np.float64))
        values = values_of(cells, (attribute.observable,), layout_of(detector))
        observed.append(values[attribute.observable.name])
    at, table = attribute.of(conditions), np.stack(observed, axis=1)
    each = line_slopes(at, table)
    finite = each[np.isfinite(each)]
    slope = Measured(None, None, "does not vary")
    if len(finite) > 1:
        slope = Measured(float(finite.mean()), float(finite.std(ddof=1) / np.sqrt(len(finite))))
    return Traversal(attribute, conditions, at, np.stack(images), table, slope)


@dataclass(frozen=True)
class NearestReal:
    """Real showers beside a traversal."""

    condition: Values
    """Mean of the condition that was moved over the showers of each average, (v,)."""
    images: Values
    """Averages, (v, K)."""


def real_beside(traversal: Traversal, real: Showers) -> NearestReal:
    """Averages of the ten real showers whose conditions are nearest to those of each value.

    Distances in standard deviations of each condition, of the moved one in tenths of it: all others
    should be in the middle, too, but few showers are.
    """
    column, scale = traversal.attribute.column, divisors(real.conditions)
    scale[column] /= MOVED_WEIGHT
    rows = []
    for conditions in traversal.conditions:
        away = np.square((real.conditions - conditions) / scale).sum(axis=1)
        rows.append(np.argsort(away, kind="stable")[:AVERAGED])
    means = [real.cells[near].mean(axis=0, dtype=np.float64) for near in rows]
    return NearestReal(real.conditions[np.stack(rows), column].mean(axis=1), np.stack(means))


def line_slopes(at: Values, observed: Values) -> Values:
    """Slope of a straight line through the values of each latent.  (v,), (l, v) -> (l,)"""
    away = at - at.mean()
    square = float(away @ away)
    if square == 0:
        return np.full(len(observed), np.nan)
    return observed @ away / square
