"""A metric of generated against real showers: its name, where it is shown, its function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.noise_floor import FloorCache
from caloforge.evaluate.resampling import Measured, Pair

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
