"""Result of an evaluation: numbers with errors for generated and real showers and for baselines.

The JSON of a result has a schema: what other programs may rely on. A number is a value with an
error, None where it is undefined, and then a note says why. Fields are added within a version; a
field that changes or goes makes a new one.

The quality that the card of a simulator states: the rows of an evaluation that users ask for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from caloforge.evaluate.baselines import BASELINES, MODEL, REAL
from caloforge.evaluate.gate.limits import GateResult
from caloforge.evaluate.metrics.metric import Metric, MetricResult
from caloforge.evaluate.paired import Region
from caloforge.evaluate.resampling import Measured
from caloforge.reporter import table_of
from caloforge.simulator.card import Measurement, Quality

FORMAT, VERSION = "caloforge-judgement", 1
TITLES = {MODEL: "generated", REAL: "real against real (floor)"}
TITLES |= {baseline.name: baseline.title for baseline in BASELINES}
"""Of the rows of the table."""


@dataclass(frozen=True)
class ResultRow:
    """One row of the table: a sample of showers and its numbers."""

    name: str
    title: str
    measured: Mapping[str, Measured]


@dataclass(frozen=True)
class Difference:
    """A number of one sample minus that of another, by the same resamplings."""

    measure: str
    first: str
    second: str
    measured: Measured

    def __str__(self) -> str:
        """Such as ``conditional W1: mean image of nearest - generated = 3.6 ± 1.1 (3.2 sigma)``."""
        sigma = self.measured.sigma
        tail = "" if sigma is None else f" ({sigma:.1f} sigma)"
        measure = self.measure.replace("_", " ").replace("w1", "W1")
        first, second = (TITLES.get(name, name) for name in (self.first, self.second))
        return f"{measure}: {first} - {second} = {self.measured}{tail}"


@dataclass(frozen=True, repr=False)
class EvaluationResult:
    """All numbers of one evaluation; equal inputs and seed give the same one."""

    detector: str
    unit: str
    scheme: str
    particles: int
    rows: int
    generated_rows: int
    n_showers: str
    """Showers a side of each particle at equal numbers, such as ``4 v 4``."""
    seed: int
    resamplings: int
    metrics: tuple[Metric, ...]
    candidates: tuple[ResultRow, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    gate: GateResult | None = None
    """Answer of the gate; None where it was not asked."""
    two_sample: tuple[MetricResult, ...] = ()
    """Two-sample metrics beside their floors."""
    regions: tuple[Region, ...] = ()
    """Numbers per kind of particle, energy band and impact region."""

    def candidate(self, name: str) -> ResultRow | None:
        """The row of that name, None where there is none."""
        return next((c for c in self.candidates if c.name == name), None)

    def measured(self, measure: str, candidate: str = MODEL) -> Measured:
        """A number of a row, undefined where there is no such row."""
        row = self.candidate(candidate)
        return Measured(None, None, "-") if row is None else row.measured[measure]

    def difference(self, measure: str, first: str, second: str = MODEL) -> Measured | None:
        """Difference of two rows, None where there is no such row."""
        names = (measure, first, second)
        return next(
            (d.measured for d in self.differences if (d.measure, d.first, d.second) == names), None
        )

    @property
    def repeated(self) -> bool:
        """Whether particles have repeats, so that conditional numbers exist."""
        return self.measured("conditional_w1", REAL).value is not None

    @property
    def summary(self) -> str:
        """One line: the conditional distance, what it is better than, how far from the floor."""
        return " ".join(_sentences(self))

    @property
    def record(self) -> dict[str, Any]:
        """The result for JSON, format and version first."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "verdict": self.summary,
            "detector": self.detector,
            "unit": self.unit,
            "scheme": self.scheme,
            "particles": self.particles,
            "rows": self.rows,
            "generated_rows": self.generated_rows,
            "numbers": self.n_showers,
            "seed": self.seed,
            "resamplings": self.resamplings,
            "measures": [metric.record for metric in self.metrics],
            "candidates": {
                candidate.name: {
                    "title": candidate.title,
                    **{name: number.record for name, number in candidate.measured.items()},
                }
                for candidate in self.candidates
            },
            "differences": [
                {"measure": d.measure, "first": d.first, "second": d.second}
                | d.measured.record
                | {"sigma": d.measured.sigma}
                for d in self.differences
            ],
            "gate": None if self.gate is None else self.gate.record,
            "two_sample": [row.record for row in self.two_sample],
            "regions": [region.record for region in self.regions],
            "warnings": list(self.warnings),
            "provenance": dict(self.provenance),
        }

    def __repr__(self) -> str:
        return f"EvaluationResult({self.detector}: {self.summary})"

    def _repr_html_(self) -> str:
        model = self.candidate(MODEL)
        short = [metric for metric in self.metrics if not metric.long]
        rows = {one.label: self.measured(one.name) for one in short} if model else {}
        return table_of(self.summary, rows)

    def to_json(self) -> str:
        """The result as a JSON document."""
        return json.dumps(self.record, indent=2, allow_nan=False, ensure_ascii=False)


def _sentences(result: EvaluationResult) -> Iterator[str]:
    """The summary, sentence by sentence."""
    measure = "conditional_w1"
    value = result.measured(measure)
    what = f"Conditional W1 {value} {result.unit}"
    if value.value is None:
        measure, value = "w1_all", result.measured("w1_all")
        what = f"No repeats; marginal W1 {value} {result.unit}"
    floor = result.measured(measure, REAL)
    against = f"; real against real {floor}" if floor.value is not None else ""
    yield f"{what} (scheme {result.scheme}, {result.n_showers}){against}."
    for candidate in result.candidates:
        difference = result.difference(measure, candidate.name)
        if candidate.name in BEATEN and difference is not None and difference.value is not None:
            yield f"{_comparison(difference)} {BEATEN[candidate.name]}."


DISTINGUISHED_SIGMA = 2.0
BEATEN = {
    "nearest": "a random shower of the nearest training particle",
    "shuffled": "real showers with shuffled conditions",
}
"""The baselines of the summary."""


def _comparison(difference: Measured) -> str:
    """Better or worse than, with the distance in sigma."""
    value, sigma = difference.value or 0.0, difference.sigma
    word = "Better" if value > 0 else "Worse"
    if value == 0:
        return "As far from the real showers as"
    if sigma is None:
        return f"{word} than"
    if abs(sigma) < DISTINGUISHED_SIGMA:
        return f"Not distinguishable ({abs(sigma):.1f} sigma) from"
    size = Measured(abs(value), difference.error)
    return f"{word} (by {size}, {abs(sigma):.1f} sigma) than"


TABLE = (
    "conditional_w1",
    "w1_all",
    "spread_slope",
    "sigma_total",
    "w1_occupancy",
    "w1_hottest",
)
"""Rows of the table, where the detector has them."""
TWO_SAMPLE = ("auc_boosted", "auc_low", "auc_both", "band_resolution_", "r2_ratio_")
"""Beginnings of the names of rows that stand below the table."""


def quality_of(result: EvaluationResult, against: str, against_sha256: str = "") -> Quality:
    """What a card says of an evaluation: numbers with floors, and the answer of the gate.

    Args:
        result: Of the simulator that the card belongs to.
        against: The real showers, in words.
        against_sha256: Checksum of their file.
    """
    gate = result.gate
    return Quality(
        against=against,
        against_sha256=against_sha256,
        measurements=tuple(measurements(result)),
        accepted=None if gate is None or gate.outcome == "too few" else gate.accepted,
        failed=() if gate is None else tuple(check.title for check in gate.failures),
    )


def measurements(result: EvaluationResult) -> Iterator[Measurement]:
    """Numbers of the table, then of the classifiers; undefined ones are left out."""
    metrics = {metric.name: metric for metric in result.metrics}
    for name in TABLE:
        if name in metrics and (value := result.measured(name)).value is not None:
            yield measurement(metrics[name], value, result.measured(name, REAL))
    for row in result.two_sample:
        if row.metric.name.startswith(TWO_SAMPLE) and row.value.value is not None:
            yield measurement(row.metric, row.value, row.floor)


def measurement(metric: Metric, value: Measured, floor: Measured) -> Measurement:
    """A number beside its floor."""
    assert value.value is not None
    return Measurement(
        name=metric.name,
        title=metric.title,
        value=value.value,
        error=value.error,
        floor=floor.value,
        floor_error=floor.error,
        unit=metric.unit,
    )
