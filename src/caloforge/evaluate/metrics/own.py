"""Metrics of modules that a user imports, as rows beside those of this package.

Shapes: L rows of a side, K cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import CaloforgeError, reason_of
from caloforge.evaluate import resampling
from caloforge.evaluate.metrics.metric import Best, Metric, MetricResult, Samples
from caloforge.evaluate.resampling import Measured
from caloforge.extensions import Registry, origin_of

HALVES = 5
"""Random split halves that value, floor and their errors come from."""
Cells = NDArray[Any]


@dataclass(frozen=True)
class CellMetric:
    """A number of two arrays of cells, for the table of two-sample metrics.

    Args:
        name: of the metric in JSON.
        title: of its row.
        function: cells of real and of generated showers, (L, K) each, in the unit of the detector.
        unit: of the number.
        ideal: the better side, or ``floor`` for as real against real.

    Example:
        >>> import numpy as np
        >>> lit = CellMetric("lit", "lit cells", lambda a, b: (b > 0).mean() / (a > 0).mean())
        >>> float(lit.function(np.eye(2), np.ones((2, 2))))
        2.0
    """

    name: str
    title: str
    function: Callable[[Cells, Cells], float]
    unit: str = ""
    ideal: float | Best = "floor"

    def result(self, real: Cells, generated: Cells, others: Cells) -> tuple[float, float]:
        """Value and floor of one split half, (L, K) each; CaloforgeError names a failure."""
        try:
            pairs = ((real, generated), (real, others))
            value, floor = (float(self.function(a, b)) for a, b in pairs)
        except Exception as error:
            what = f"{type(error).__name__}: {reason_of(error)}"
            raise CaloforgeError(f"metric {self.name} failed: {what}") from error
        return value, floor


def metrics_in(module: ModuleType) -> Iterator[tuple[str, Metric | CellMetric]]:
    """Metrics that stand in a module."""
    for piece in list(vars(module).values()):
        if isinstance(piece, CellMetric) or (isinstance(piece, Metric) and piece.function):
            yield piece.name, piece


METRICS: Registry[Metric | CellMetric] = Registry(
    "metric", "metrics", {}, metrics_in, "a metric is a Metric or a CellMetric of the module"
)
"""Metrics from outside this package."""


def own_paired_metrics() -> tuple[Metric, ...]:
    """Those of them that join the table."""
    return tuple(one for one in METRICS.values() if isinstance(one, Metric))


def version_of(metric: Metric) -> tuple[str, ...]:
    """What a stored noise floor depends on beside the name: the file of an own metric."""
    if METRICS.get(metric.name) != metric:
        return ()
    origin = origin_of(metric.function)
    return (str(origin and origin.sha256),)


def results(samples: Samples) -> Iterator[MetricResult]:
    """Cell metrics of split halves with their floors, and the spread over the halves."""
    own = [one for one in METRICS.values() if isinstance(one, CellMetric)]
    if not own:
        return
    drawn = list(split_halves(samples))
    for metric in own:
        numbers = np.array([metric.result(*cells) for cells in drawn])
        error = numbers.std(axis=0, ddof=1)
        value, floor = (
            Measured(float(m), float(e)) if np.isfinite(m) else Measured(None, None, "undefined")
            for m, e in zip(numbers.mean(axis=0), error, strict=True)
        )
        row = Metric(metric.name, metric.title, metric.unit, metric.ideal, "two_sample")
        yield MetricResult(row, value, floor)


def split_halves(samples: Samples) -> Iterator[tuple[Cells, Cells, Cells]]:
    """Real cells, as many generated ones of the same particles, and other real ones.  (L, K)"""
    real, other = samples.real, samples.generated
    names, index, other_index = resampling.index_shared_particles(real.particle, other.particle)
    n_showers = resampling.equal_n_showers(index, other_index, len(names))
    rng = np.random.default_rng([samples.seed, 0x0E])
    for _ in range(HALVES):
        half = resampling.halves(index, n_showers, rng)
        rows = resampling.draw(other_index, half.n_showers, rng)
        yield real.cells[half.first], other.cells[rows], real.cells[half.second]
