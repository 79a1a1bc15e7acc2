"""A gate: which checks and metrics must hold before a simulator is signed off, and its answer.

Limits are in sigma of a permutation test (``permutation``) or in noise floors (real against real).
Those that ship follow from theory alone: a headline at 3 sigma is passed by a perfect simulator
99.7 % of the time, each of 30 details at 4 sigma 99.994 %, all together about 98.5 %.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, field_validator, model_validator

from caloforge.documents import Document, Record
from caloforge.errors import CaloforgeError, UsageError
from caloforge.evaluate.baselines import REAL

if TYPE_CHECKING:
    from caloforge.detector import Detector
    from caloforge.evaluate.result import EvaluationResult

SHOWN_FAILURES = 6


@dataclass(frozen=True)
class CheckResult:
    """The result of a check: a difference, its error, and how far beyond chance it is."""

    name: str
    title: str
    value: float
    error: float
    sigma: float
    limit: float = math.inf
    unit: str = "sigma"
    """Of the limit and of ``distance``: sigma or floors."""
    distance: float = math.nan
    """What is held against the limit; NaN where the check is undefined."""

    def limited(self, limit: float, unit: str, distance: float) -> CheckResult:
        """The same result, held against a limit."""
        return dataclasses.replace(self, limit=limit, unit=unit, distance=distance)

    @property
    def failed(self) -> bool:
        """Whether it is beyond its limit; what is undefined cannot fail."""
        return self.distance > self.limit

    @property
    def defined(self) -> bool:
        """Whether there was anything to compare."""
        return math.isfinite(self.distance)

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        numbers = {key: getattr(self, key) for key in ("value", "error", "sigma", "distance")}
        return {
            "name": self.name,
            "title": self.title,
            **{key: _finite(number) for key, number in numbers.items()},
            "limit": self.limit,
            "unit": self.unit,
            "outcome": self.outcome,
        }

    @property
    def outcome(self) -> str:
        """In a word."""
        if not self.defined:
            return "undefined"
        return "failed" if self.failed else "passed"

    def __str__(self) -> str:
        """Such as ``channel_sums 13.8 sigma (limit 3)``."""
        return f"{self.name} {self.distance:.3g} {self.unit} (limit {self.limit:g})"


CLEAR_SIMILARITY = 0.8
"""Cosine from which a failure is near: most check results agree (0.8 squared: 64 %)."""


@dataclass(frozen=True)
class NearestFailure:
    """The negative control whose check results are most like those of rejected showers."""

    name: str
    title: str
    similarity: float
    """Cosine of the results of all checks; 1: the same, 0: nothing in common."""

    def __str__(self) -> str:
        """The failure, or that none is near."""
        tail = f"{self.title} (similarity {self.similarity:.2f})"
        if self.similarity >= CLEAR_SIMILARITY:
            return f"Nearest known failure: {tail}"
        return f"No known failure is near; the nearest: {tail}"


@dataclass(frozen=True)
class GateResult:
    """All check results of a gate, and what follows."""

    check_results: tuple[CheckResult, ...]
    gate: str = ""
    nearest_failure: NearestFailure | None = None
    strata: str = ""
    """What was compared with what: particles, or bands of conditions."""
    log_arrangements: float = math.inf
    """Logarithm of the number of ways in which the labels can be permuted."""
    explanation: tuple[str, ...] = ()
    """Sentences: what is off, by how much, and whether it matters for channel sums."""

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """What is beyond its limit, the worst first."""
        failed = [result for result in self.check_results if result.failed]
        return tuple(sorted(failed, key=lambda result: -result.distance / result.limit))

    @property
    def too_few(self) -> bool:
        """Whether a check could not fail whatever was generated, or none is defined.

        A permutation test of k arrangements gives no probability below 1 / k.
        """
        limits = [result.limit for result in self.check_results if result.unit == "sigma"]
        possible = self.log_arrangements >= -_log_probability(max(limits, default=0.0))
        return not possible or not self.defined

    @property
    def accepted(self) -> bool:
        """Whether enough could be checked and nothing failed."""
        return not self.failures and not self.too_few

    @property
    def outcome(self) -> str:
        """In a word."""
        if self.too_few:
            return "too few"
        return "accepted" if self.accepted else "rejected"

    @property
    def defined(self) -> int:
        """Number of checks that could be made."""
        return sum(result.defined for result in self.check_results)

    def __str__(self) -> str:
        """One line: accepted, rejected by what, or too few to say."""
        return f"Gate ({self.gate}): {self.headline}"

    @property
    def headline(self) -> str:
        """The answer in words, with the worst failures."""
        if not self.defined:
            return f"TOO FEW TO SAY ({self.strata}): all showers are alike, no check is defined."
        if self.too_few:
            return f"TOO FEW TO SAY ({self.strata}): more showers of each particle are needed."
        if self.accepted:
            return f"ACCEPTED, {self.defined} checks within their limits ({self.strata})."
        worst = ", ".join(str(result) for result in self.failures[:SHOWN_FAILURES])
        more = len(self.failures) - SHOWN_FAILURES
        tail = f" and {more} more" if more > 0 else ""
        like = "" if self.nearest_failure is None else f" {self.nearest_failure}."
        count = f"{len(self.failures)} of {self.defined} checks"
        return f"REJECTED, {count} failed: {worst}{tail}.{like}"

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        like = self.nearest_failure
        return {
            "gate": self.gate,
            "accepted": self.accepted,
            "outcome": self.outcome,
            "strata": self.strata,
            "explanation": list(self.explanation),
            "looks_like": None
            if like is None
            else {"name": like.name, "title": like.title, "similarity": like.similarity},
            "answers": [result.record for result in self.check_results],
        }


def _log_probability(sigma: float) -> float:
    """Logarithm of the probability of a normal deviate beyond so many sigma, on both sides."""
    from scipy.special import log_ndtr

    return float(log_ndtr(-sigma)) + math.log(2)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def explain(answer: GateResult, result: EvaluationResult) -> GateResult:
    """The answer with sentences: what is off, by how much, whether channel sums are."""
    if answer.accepted or answer.too_few:
        return answer
    metrics = {metric.name: metric for metric in result.metrics if metric.distance}
    names = dict.fromkeys(
        failure.name.removeprefix("location_").removeprefix("spread_")
        for failure in answer.failures
    )
    channels: list[tuple[float, str]] = []
    shapes: list[tuple[float, str]] = []
    for name in names:
        metric = metrics.get(f"w1_{name}")
        if metric is not None:
            size = _in_floors(result, metric.name)
            kind = channels if metric.group == "channels" else shapes
            kind.append((size, f"{name} ({size:.1f} floors)"))
    sentences = []
    if shapes:
        sentences.append(f"Observables off, by W1: {_worst_first(shapes)}.")
    size = _in_floors(result, "conditional_w1")
    distance = f"conditional W1 is {size:.2f} of its floor" if math.isfinite(size) else "no repeats"
    if channels or any(failure.name == "channel_sums" for failure in answer.failures):
        single = f"; by W1: {_worst_first(channels)}" if channels else ""
        too = ", too" if shapes else ""
        sentences.append(f"Channel sums are off{too}: {distance}{single}.")
    else:
        sentences.append(f"Channel sums pass ({distance}): what is off does not reach them.")
    return dataclasses.replace(answer, explanation=tuple(sentences))


def _in_floors(result: EvaluationResult, name: str) -> float:
    value, floor = result.measured(name).value, result.measured(name, REAL).value
    return value / floor if value is not None and floor else math.nan


def _worst_first(sizes: list[tuple[float, str]]) -> str:
    worst = sorted(sizes, key=lambda one: -one[0] if math.isfinite(one[0]) else 0.0)
    return ", ".join(text for _, text in worst[:SHOWN_FAILURES])


DEFAULT = "default"
ANY = "any"


LARGEST_LIMIT = 1000.0
"""A larger one would let everything pass."""


class Limit(Record):
    """Limit of one check or metric."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str | None = None
    """Name of a check, or a pattern such as ``location_*``; the first limit that fits counts."""
    measure: str | None = None
    """Name of a distance of the table, to be held against its floor."""
    sigma: float | None = Field(default=None, gt=0, le=LARGEST_LIMIT)
    floors: float | None = Field(default=None, gt=0, le=LARGEST_LIMIT)

    @field_validator("check")
    @classmethod
    def _by_its_name(cls, name: str | None) -> str | None:
        """Gates of earlier versions called the check of channel sums conditional_w1."""
        return "channel_sums" if name == "conditional_w1" else name

    @model_validator(mode="after")
    def _is_complete(self) -> Limit:
        if (self.check is None) == (self.measure is None):
            raise ValueError("a limit names one check or one measure")
        if (self.check is None) == (self.floors is None):
            raise ValueError("a check is limited in sigma, a measure in floors")
        if (self.sigma is None) == (self.floors is None):
            raise ValueError("a check is limited in sigma, a measure in floors")
        return self


class Gate(Document):
    """All limits of a sign-off."""

    FORMAT = "caloforge-gate"
    ERROR = UsageError

    detector: str | None = None
    about: str = ""
    limits: tuple[Limit, ...] = Field(min_length=1)

    @field_validator("limits")
    @classmethod
    def _are_distinct(cls, limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
        names = [limit.check or limit.measure for limit in limits]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"{twice} is limited twice")
        return limits


def read_gate(name: str, detector: Detector) -> tuple[str, Gate]:
    """A gate file, or ``default``: the one that ships for the detector; and where it came from.

    Raises UsageError in one line for a file that is none, is newer or is for another detector.
    """
    if name == DEFAULT:
        folder = files("caloforge.evaluate") / "gate"
        own = folder / f"{detector.name}.json"
        path = own if own.is_file() else folder / f"{ANY}.json"
        return f"default of {detector.name}", Gate.parse(path.read_bytes())
    try:
        gate = Gate.read(Path(name))
    except CaloforgeError as error:
        raise UsageError(f"--gate {error}") from error
    if gate.detector not in (None, detector.name):
        raise UsageError(f"--gate {name} is for {gate.detector}, not for {detector.name}")
    return name, gate


def check_limits(
    gate: Gate, check_results: Sequence[CheckResult], result: EvaluationResult | None
) -> GateResult:
    """The check results held against the limits of the gate.

    Raises UsageError naming what exists when a limit fits nothing.
    """
    results = [
        *_held(gate, check_results),
        *(_measured(limit, result) for limit in gate.limits if limit.measure),
    ]
    return GateResult(tuple(results))


def _held(gate: Gate, check_results: Sequence[CheckResult]) -> Iterator[CheckResult]:
    limits = [limit for limit in gate.limits if limit.check]
    for limit in limits:
        if not any(fnmatchcase(answer.name, limit.check or "") for answer in check_results):
            names = ", ".join(answer.name for answer in check_results)
            raise UsageError(f"the gate limits {limit.check}; there are {names}")
    for answer in check_results:
        own = next((n for n in limits if fnmatchcase(answer.name, n.check or "")), None)
        if own is not None and own.sigma is not None:
            yield answer.limited(own.sigma, "sigma", math.fabs(answer.sigma))


def _measured(limit: Limit, result: EvaluationResult | None) -> CheckResult:
    """A distance of the table in units of its floor."""
    names = [] if result is None else [r.name for r in result.metrics if r.distance]
    if result is None or limit.measure not in names or limit.floors is None:
        raise UsageError(f"the gate limits {limit.measure}; the table has {', '.join(names)}")
    row = next(row for row in result.metrics if row.name == limit.measure)
    value = result.measured(row.name)
    check = CheckResult(
        row.name,
        row.title,
        value.value if value.value is not None else math.nan,
        value.error if value.error is not None else math.nan,
        math.nan,
    )
    return check.limited(limit.floors, "floors", _in_floors(result, row.name))
