"""A metric of generated against real showers: its name, where it is shown, its function.

Metrics of modules that a user imports, as rows beside those of this package.

Shapes: L rows of a side, K cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import CaloforgeError, reason_of
from caloforge.evaluate import resampling
from caloforge.evaluate.noise_floor import FloorCache
from caloforge.evaluate.resampling import Measured, Pair
from caloforge.extensions import Registry, origin_of

if TYPE_CHECKING:
    from caloforge.data.showers import Showers
    from caloforge.evaluate.metrics.networks import ClassifierConfig


Values = NDArray[np.float64]
SPLIT_HALVES = 20
"""Random split halves that a cheap metric is averaged over; others say how many they take."""
Group = Literal["channels", "diversity", "shapes", "two_sample", "classifier", "layered", "events"]
Best = Literal["low", "high", "floor"]


@dataclass(frozen=True)
class Metric:
    """One number of generated against real showers.

    Tables, pages, JSON, comparisons, regions and gates are made from these fields. Metrics with the
    same ``function`` are computed together, in the order in which they are listed.
    """

    name: str
    title: str
    unit: str = ""
    ideal: float | Best = 0.0
    """What a perfect simulator gets: a number, or the better side beside the noise floor."""
    group: Group = "channels"
    all_rows: bool = False
    """True where it takes all rows, not equal numbers of showers of each particle."""
    long: bool = False
    """True where only full tables show it."""
    function: Callable[[Pair, Values], Values] | None = field(default=None, compare=False)
    """(pair, weights (B, P)) -> (B, metrics that share it); NaN where undefined."""
    split_halves: int = SPLIT_HALVES
    """Random split halves that it is averaged over."""
    per_particle: bool = False
    """True where it compares showers of one particle, so that it needs repeats."""
    distance: bool = False
    """True where lower is better and differences between samples are of interest."""
    column: str = ""
    """Short title where it is a column of the table of samples."""
    by_region: bool = False
    """True where it is also given for each region of the conditions."""

    @property
    def key(self) -> tuple[int, bool]:
        """Metrics of equal keys are computed together."""
        return id(self.function), self.all_rows

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {"name": self.name, "title": self.title, "unit": self.unit, "ideal": self.ideal}

    @property
    def label(self) -> str:
        """Title with the unit."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title


@dataclass(frozen=True)
class MetricResult:
    """A two-sample metric of generated against real showers, and of real against real."""

    metric: Metric
    value: Measured
    floor: Measured

    @property
    def name(self) -> str:
        """Name of the metric."""
        return self.metric.name

    @property
    def title(self) -> str:
        """Title of the metric."""
        return self.metric.title

    @property
    def best(self) -> str:
        """What is better: ``low``, ``high`` or ``floor`` (as real against real)."""
        return str(self.metric.ideal)

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        numbers = {"value": self.value.record, "floor": self.floor.record}
        return {"name": self.name, "title": self.title, "best": self.best, **numbers}


@dataclass(frozen=True)
class Samples:
    """What two-sample metrics compare: both samples, and how."""

    real: Showers
    generated: Showers
    train: Showers | None
    scheme: str | None
    seed: int
    config: ClassifierConfig | None
    """How classifiers are trained; None: there are none."""
    cache: FloorCache
    rng: np.random.Generator
    """For metrics that have no random numbers of their own."""
    advance: Callable[[], None] | None = None
    """Called after each step of long work."""


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


def own_results(samples: Samples) -> Iterator[MetricResult]:
    """Cell metrics of split halves with their floors, and the spread over the halves."""
    own = [one for one in METRICS.values() if isinstance(one, CellMetric)]
    if not own:
        return
    halves = list(split_halves(samples))
    for metric in own:
        numbers = np.array([metric.result(*cells) for cells in halves])
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
