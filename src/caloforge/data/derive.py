"""What is derived from showers of known particles: spread, twin, peak, intensity.

Shapes: N rows, K cells, P particles.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from caloforge.data.particles import Groups, groups_of
from caloforge.data.record import Showers
from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.io.showers import ShowerFile

SpreadScale = Literal["counts", "log1p"]
SPREAD_BLOCK_ROWS = 4096


def spread(
    showers: Showers | ShowerFile,
    *,
    scale: SpreadScale = "log1p",
    relative: bool = False,
    groups: Groups | None = None,
) -> NDArray[np.float64]:
    """How much the showers of each particle differ, in the order they stand.  (P,)

    f_div(c) = sum over cells of the standard deviation (ddof 0) over the repeats of c, on counts
    or on ln(1 + counts): arXiv:2207.01561. ``relative`` divides by the square root of the mean
    total, since the raw form largely re-labels the energy. NaN, never 0, for a particle with a
    single shower. ``groups`` names some particles; default all.
    """
    groups = showers.groups() if groups is None else groups
    values = np.full(len(groups), np.nan)
    for first, last in _blocks(groups, SPREAD_BLOCK_ROWS):
        start = int(groups.starts[first])
        stop = int(groups.starts[last - 1] + groups.counts[last - 1])
        cells = _cells(showers, start, stop)
        for number in range(first, last):
            if groups.counts[number] > 1:
                begin = int(groups.starts[number]) - start
                rows = cells[begin : begin + int(groups.counts[number])]
                values[number] = spread_of_rows(rows, scale=scale, relative=relative)
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


def twin_of(particle: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """For each row, another row of the same particle at random; -1 where there is none.  (N,)"""
    groups = groups_of(particle)
    counts = np.repeat(groups.counts, groups.counts)
    starts = np.repeat(groups.starts, groups.counts)
    own = np.arange(len(particle)) - starts
    step = 1 + rng.integers(0, np.maximum(counts - 1, 1))
    return np.where(counts > 1, starts + (own + step) % counts, -1)


def peak(showers: Showers) -> NDArray[np.float64]:
    """Cell numbers [x, y] of the largest cell in its layer; NaN for an empty shower.  (N, 2)

    Ties go to the first cell, as in the authors' ``np.unravel_index(argmax)``.
    """
    return peak_of_cells(showers.detector, showers.cells)


def peak_of_cells(detector: Detector, cells: NDArray[Any]) -> NDArray[np.float64]:
    """``peak`` of bare cells.  (N, K) -> (N, 2)"""
    places = [np.indices(layer.shape).reshape(2, -1).T for layer in detector.layers]
    peaks = np.asarray(np.concatenate(places)[cells.argmax(axis=1)], dtype=np.float64)
    peaks[~cells.any(axis=1)] = np.nan
    return peaks


def intensity(showers: Showers) -> NDArray[np.float64]:
    """Sum over all cells, in the detector's unit.  (N,)"""
    return showers.total()


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
