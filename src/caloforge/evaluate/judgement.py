"""What a judgement says: numbers with errors for the simulator, for real showers, for baselines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from caloforge.evaluate.measure import Row
from caloforge.evaluate.measured import Measured
from caloforge.evaluate.regions import Region
from caloforge.evaluate.two_sample import Compared
from caloforge.evaluate.verdict import Verdict

FORMAT, VERSION = "caloforge-judgement", 1
MODEL, REAL = "model", "real"
CANDIDATE_TITLES = {MODEL: "generated", REAL: "real against real (floor)"}


@dataclass(frozen=True)
class Candidate:
    """One row of the table: where showers came from, and all that was measured of them."""

    name: str
    title: str
    measured: Mapping[str, Measured]


@dataclass(frozen=True)
class Difference:
    """A number of one candidate minus that of another, by the same resamplings."""

    measure: str
    first: str
    second: str
    measured: Measured

    def __str__(self) -> str:
        """Such as ``conditional_w1: shuffled - model = 30.1 ± 1.2 (25 sigma)``."""
        sigma = self.measured.sigma
        tail = "" if sigma is None else f" ({sigma:.1f} sigma)"
        return f"{self.measure}: {self.first} - {self.second} = {self.measured}{tail}"


@dataclass(frozen=True)
class Judgement:
    """All numbers of one comparison; equal inputs and seed give the same one."""

    detector: str
    unit: str
    scheme: str
    particles: int
    rows: int
    generated_rows: int
    numbers: str
    """Showers a side of each particle at equal numbers, such as ``4 v 4``."""
    seed: int
    resamplings: int
    rows_of_table: tuple[Row, ...]
    candidates: tuple[Candidate, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    gate: Verdict | None = None
    """What the gate said; None where it was not asked."""
    compared: tuple[Compared, ...] = ()
    """Two-sample metrics beside their floors."""
    regions: tuple[Region, ...] = ()
    """Numbers per kind of particle, energy band and impact region."""

    def candidate(self, name: str) -> Candidate | None:
        """The candidate of that name, None where it was not judged."""
        return next((c for c in self.candidates if c.name == name), None)

    def measured(self, measure: str, candidate: str = MODEL) -> Measured:
        """A number of a candidate, undefined where it was not judged."""
        found = self.candidate(candidate)
        return Measured(None, None, "-") if found is None else found.measured[measure]

    def difference(self, measure: str, first: str, second: str = MODEL) -> Measured | None:
        """Difference of two candidates, None where one of them was not judged."""
        wanted = (measure, first, second)
        return next(
            (d.measured for d in self.differences if (d.measure, d.first, d.second) == wanted), None
        )

    @property
    def verdict(self) -> str:
        """One line: the conditional distance, what it is better than, how far from the floor."""
        return " ".join(_sentences(self))

    @property
    def record(self) -> dict[str, Any]:
        """The judgement for JSON, format and version first."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "verdict": self.verdict,
            "detector": self.detector,
            "unit": self.unit,
            "scheme": self.scheme,
            "particles": self.particles,
            "rows": self.rows,
            "generated_rows": self.generated_rows,
            "numbers": self.numbers,
            "seed": self.seed,
            "resamplings": self.resamplings,
            "measures": [
                {"name": row.name, "title": row.title, "unit": row.unit, "ideal": row.ideal}
                for row in self.rows_of_table
            ],
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
            "two_sample": [row.record for row in self.compared],
            "regions": [region.record for region in self.regions],
            "warnings": list(self.warnings),
            "provenance": dict(self.provenance),
        }

    def to_json(self) -> str:
        """The judgement as a JSON document."""
        return json.dumps(self.record, indent=2, allow_nan=False, ensure_ascii=False)


def _sentences(judgement: Judgement) -> Iterator[str]:
    """The verdict, sentence by sentence."""
    measure = "conditional_w1"
    value = judgement.measured(measure)
    what = f"Conditional W1 {value} {judgement.unit}"
    if value.value is None:
        measure, value = "w1_all", judgement.measured("w1_all")
        what = f"No repeats; marginal W1 {value} {judgement.unit}"
    floor = judgement.measured(measure, REAL)
    against = f"; real against real {floor}" if floor.value is not None else ""
    yield f"{what} (scheme {judgement.scheme}, {judgement.numbers}){against}."
    for candidate in judgement.candidates:
        difference = judgement.difference(measure, candidate.name)
        if candidate.name in BEATEN and difference is not None and difference.value is not None:
            yield f"{_comparison(difference)} {BEATEN[candidate.name]}."


DISTINGUISHED_SIGMA = 2.0
BEATEN = {
    "nearest": "a random shower of the nearest training particle",
    "shuffled": "real showers with shuffled conditions",
}
"""The baselines that the verdict speaks of."""


def _comparison(difference: Measured) -> str:
    """Better or worse than, with the distance in sigma."""
    value, sigma = difference.value or 0.0, difference.sigma
    word = "Better" if value > 0 else "Worse"
    if sigma is None:
        return f"{word} than"
    if abs(sigma) < DISTINGUISHED_SIGMA:
        return f"Not distinguishable ({abs(sigma):.1f} sigma) from"
    size = Measured(abs(value), difference.error)
    return f"{word} (by {size}, {abs(sigma):.1f} sigma) than"
