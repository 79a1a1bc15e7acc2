"""What is derived from showers of known particles: spread, largest cell, standardised features.

Shapes: N rows, K cells, P particles, C conditions, F features.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, model_validator

from caloforge.data.deviations import divisors
from caloforge.data.particles import Groups
from caloforge.data.record import Showers
from caloforge.detector import Detector
from caloforge.detector.features import Feature
from caloforge.documents import Record
from caloforge.errors import DataError, UsageError
from caloforge.io.showers import ShowerFile
from caloforge.reporter import SILENT, Reporter

SpreadScale = Literal["counts", "log1p"]
SPREAD_BLOCK_ROWS = 4096


def spread(
    showers: Showers | ShowerFile,
    *,
    scale: SpreadScale = "log1p",
    relative: bool = False,
    groups: Groups | None = None,
    reporter: Reporter = SILENT,
) -> NDArray[np.float64]:
    """How much the showers of each particle differ, in the order they stand.  (P,)

    f_div(c) = sum over cells of the standard deviation (ddof 0) over the repeats of c, on counts
    or on ln(1 + counts): arXiv:2207.01561. ``relative`` divides by the square root of the mean
    total, since the raw form largely re-labels the energy. NaN, never 0, for a particle with a
    single shower. ``groups`` names some particles; default all.
    """
    groups = showers.groups() if groups is None else groups
    values = np.full(len(groups), np.nan)
    with reporter.progress("spread", len(groups), "particles") as advance:
        for first, last in _blocks(groups, SPREAD_BLOCK_ROWS):
            with_repeats = first + np.flatnonzero(groups.counts[first:last] > 1)
            if len(with_repeats):
                start = int(groups.starts[first])
                stop = int(groups.starts[last - 1] + groups.counts[last - 1])
                cells = _cells(showers, start, stop)
            for number in with_repeats:
                begin = int(groups.starts[number]) - start
                rows = cells[begin : begin + int(groups.counts[number])]
                values[number] = spread_of_rows(rows, scale=scale, relative=relative)
            advance(last - first)
    return values


def spread_of_rows(
    cells: NDArray[Any], *, scale: SpreadScale = "log1p", relative: bool = False
) -> float:
    """Spread of the showers of one particle (R, K); NaN for one row, or, relative, no light."""
    if len(cells) < 2:
        return float("nan")
    # Most cells of a calorimeter are dark in all repeats and add nothing.
    values = cells[:, cells.any(axis=0)].astype(np.float64)
    total = values.sum(axis=1).mean()
    scaled = np.log1p(values) if scale == "log1p" else values
    raw = float(scaled.std(axis=0).sum())
    if not relative:
        return raw
    return raw / float(np.sqrt(total)) if total > 0 else float("nan")


def _cells(showers: Showers | ShowerFile, start: int, stop: int) -> NDArray[Any]:
    if isinstance(showers, ShowerFile):
        return showers.cells(start, stop)
    return showers.cells[start:stop]


def _blocks(groups: Groups, rows: int) -> list[tuple[int, int]]:
    """Ranges of whole particles that start within the same range of rows."""
    edges = np.flatnonzero(np.diff(groups.starts // rows, prepend=-1))
    return [(int(a), int(b)) for a, b in zip(edges, [*edges[1:], len(groups)], strict=True)]


def peak_of_cells(detector: Detector, cells: NDArray[Any]) -> NDArray[np.float64]:
    """Cell numbers [x, y] of the largest cell in its layer; NaN for an empty shower.  (N, 2)

    Ties go to the first cell, as in the authors' ``np.unravel_index(argmax)``.
    """
    places = [np.indices(layer.shape).reshape(2, -1).T for layer in detector.layers]
    peaks = np.asarray(np.concatenate(places)[cells.argmax(axis=1)], dtype=np.float64)
    peaks[~cells.any(axis=1)] = np.nan
    return peaks


@dataclass(frozen=True)
class SpreadBounds:
    """Least and greatest spread of the training particles."""

    low: float
    high: float

    @classmethod
    def fit(cls, spreads: NDArray[np.float64]) -> "SpreadBounds":
        """Bounds of the spreads that are defined; DataError when none is."""
        defined = spreads[np.isfinite(spreads)]
        if not len(defined):
            raise DataError("no training particle has two showers: the spread is undefined")
        return cls(float(defined.min()), float(defined.max()))

    def normalise(self, spreads: NDArray[np.float64]) -> NDArray[np.float64]:
        """(spread - low) / (high - low), clipped to [0, 1]; NaN stays NaN; 0 when all are equal."""
        width = self.high - self.low
        scaled = (spreads - self.low) / (width if width > 0 else 1.0)
        return np.clip(scaled, 0.0, 1.0)


FeatureKind = Literal["features", "plain"]


def features(
    detector: Detector, kind: FeatureKind = "features", attributes: Iterable[str] | None = None
) -> tuple[Feature, ...]:
    """The detector's feature map, or every condition as it is (``plain``).

    ``attributes``: only what is computed of these conditions. Raises UsageError for one that the
    detector does not have, or where nothing is left.
    """
    plain = tuple(Feature(name=name, kind="value", of=(name,)) for name in detector.columns)
    whole = {"features": detector.features, "plain": plain}[kind]
    if attributes is None:
        return whole
    if unknown := set(attributes) - set(detector.columns):
        names = ", ".join(detector.columns)
        raise UsageError(
            f"generator.attributes: {detector.name} has no {min(unknown)}; it has {names}"
        )
    available = tuple(feature for feature in whole if set(feature.of) <= set(attributes))
    if not available:
        raise UsageError(
            f"generator.attributes: no feature of {detector.name} hangs on these alone"
        )
    return available


def evaluate_features(
    features: tuple[Feature, ...], columns: tuple[str, ...], conditions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Features of conditions in physical units.  (N, C) -> (N, F)

    Raises DataError naming the row where one is
    not finite (a logarithm of a number that is not positive, a slope to zero).
    """
    values = np.empty((len(conditions), len(features)))
    for number, feature in enumerate(features):
        arguments = [conditions[:, columns.index(name)] for name in feature.of]
        with np.errstate(all="ignore"):
            values[:, number] = feature.value(np, *arguments)
        if len(bad := np.flatnonzero(~np.isfinite(values[:, number]))):
            text = ", ".join(
                f"{name} = {conditions[bad[0], columns.index(name)]:g}" for name in feature.of
            )
            raise DataError(f"row {bad[0]}: {feature.name} is undefined for {text}")
    return values


class FeatureScaling(Record):
    """Mean and standard deviation of features; it exists only fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[Feature, ...]
    columns: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> "FeatureScaling":
        if not len(self.features) == len(self.mean) == len(self.std):
            raise ValueError("features, mean and std differ in number")
        if not np.isfinite([*self.mean, *self.std]).all() or min(self.std, default=1.0) <= 0:
            raise ValueError("mean and std must be finite, std positive")
        return self

    @classmethod
    def fit(
        cls,
        detector: Detector,
        conditions: NDArray[np.float64],
        kind: FeatureKind = "features",
        attributes: Iterable[str] | None = None,
    ) -> "FeatureScaling":
        """Fit to the conditions of training particles only, in physical units (N, C).

        A feature that does not vary gets a standard deviation of 1: it is shifted to 0.
        """
        if not len(conditions):
            raise DataError("a scaling cannot be fitted to no rows")
        selection = features(detector, kind, attributes)
        values = evaluate_features(selection, detector.columns, conditions)
        return cls(
            features=selection,
            columns=detector.columns,
            mean=tuple(values.mean(axis=0).tolist()),
            std=tuple(divisors(values).tolist()),
        )

    def encode(self, conditions: NDArray[np.float64]) -> NDArray[np.float32]:
        """Standardised features of conditions in physical units.  (N, C) -> (N, F)"""
        if conditions.shape[1] != len(self.columns):
            raise DataError(f"{conditions.shape[1]} conditions, expected {len(self.columns)}")
        values = evaluate_features(self.features, self.columns, conditions)
        standardised = (values - np.array(self.mean)) / np.array(self.std)
        return np.asarray(standardised, dtype=np.float32)
