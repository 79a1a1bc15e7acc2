"""Observables of files larger than memory: one pass for the bins, one to fill them.

Shapes: N showers of a file, b bins of each observable.

What histograms tell (separation power, mean, W1 to within a bin) needs no more than a block of
showers at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import ShowerFile
from caloforge.errors import DataError
from caloforge.evaluate.metrics.two_sample import weighted_separation
from caloforge.evaluate.observables import observables, observe
from caloforge.io.productions import open_showers
from caloforge.reporter import SILENT, Reporter

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
BINS = 400
ROWS = 4096


@dataclass(frozen=True)
class Streamed:
    """One observable of two files."""

    name: str
    unit: str
    edges: Values
    real: Values
    """Showers in each bin, (b,)."""
    generated: Values

    @property
    def separation(self) -> float:
        """Separation power of both histograms; NaN where one is empty."""
        pair = self.real[None, :], self.generated[None, :]
        return float(weighted_separation(*pair, np.ones((1, 1)))[0])

    @property
    def w1(self) -> float:
        """W1 of both histograms, right to within the width of a bin; NaN where one is empty."""
        total = self.real.sum(), self.generated.sum()
        if min(total) == 0:
            return float("nan")
        gap = np.cumsum(self.real / total[0] - self.generated / total[1])
        return float(np.abs(gap) @ np.diff(self.edges))


def stream(
    real: str | Path,
    generated: str | Path,
    *,
    scheme: str | None = None,
    reporter: Reporter = SILENT,
) -> tuple[Streamed, ...]:
    """Histograms of every channel and observable of two files, in little memory.

    Bins span what both files hold. Raises DataError for files of different detectors.
    """
    with open_showers(real) as first, open_showers(generated) as second:
        detector = first.detector
        if detector.fingerprint != second.detector.fingerprint:
            raise DataError(f"{generated} holds {second.detector.name}, {real} {detector.name}")
        ranges = _ranges((first, second), scheme, reporter)
        edges = {name: np.linspace(low, high, BINS + 1) for name, (low, high) in ranges.items()}
        counts = [_filled(file, edges, scheme, reporter) for file in (first, second)]
        units = {o.name: o.unit or detector.unit for o in observables(detector)}
        return tuple(
            Streamed(name, units.get(name, detector.unit), bins, counts[0][name], counts[1][name])
            for name, bins in edges.items()
        )


def _ranges(
    files: tuple[ShowerFile, ...], scheme: str | None, reporter: Reporter
) -> dict[str, tuple[float, float]]:
    """Least and greatest value of everything, over all files."""
    ranges: dict[str, tuple[float, float]] = {}
    for file in files:
        for name, values in _blocks(file, scheme, reporter, "ranges"):
            finite = values[np.isfinite(values)]
            if not len(finite):
                continue
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = min(low, float(finite.min())), max(high, float(finite.max()))
    return {name: (low, high if high > low else low + 1) for name, (low, high) in ranges.items()}


def _filled(
    file: ShowerFile, edges: Mapping[str, Values], scheme: str | None, reporter: Reporter
) -> dict[str, Values]:
    """Showers in each bin."""
    counts = {name: np.zeros(BINS) for name in edges}
    for name, values in _blocks(file, scheme, reporter, "histograms"):
        if name in counts:
            counts[name] += np.histogram(values[np.isfinite(values)], edges[name])[0]
    return counts


def _blocks(
    file: ShowerFile, scheme: str | None, reporter: Reporter, what: str
) -> Iterator[tuple[str, Values]]:
    """Name and values of every channel and observable, block by block."""
    labels = file.detector.scheme(scheme).labels
    with reporter.progress(f"{what} of {file.path.name}", len(file)) as advance:
        for block in file.chunks(ROWS):
            yield from _columns(block, labels, scheme)
            advance(len(block))


def _columns(
    block: Showers, labels: tuple[str, ...], scheme: str | None
) -> Iterator[tuple[str, Values]]:
    observed = observe(block, scheme)
    yield from zip(labels, observed.channels.T, strict=True)
    yield from observed.values.items()
