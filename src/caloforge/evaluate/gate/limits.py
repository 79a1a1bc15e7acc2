"""A gate: which checks and metrics must hold before a simulator is signed off, and its answer.

Limits are in sigma of a permutation test (``permutation``) or in noise floors (real against real).
Those that ship follow from theory alone: a headline at 3 sigma is passed by a perfect simulator
99.7 % of the time, each of 30 details at 4 sigma 99.994 %, all together about 98.5 %.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from caloforge.errors import UsageError
from caloforge.evaluate.baselines import REAL

if TYPE_CHECKING:
    from caloforge.detector import Detector
    from caloforge.evaluate.result import EvaluationResult

SHOWN_FAILURES = 6


@dataclass(frozen=True)
class CheckResult:
    """The answer to a check: a difference, its error, and how far beyond chance it is."""

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
        """The same answer, held against a limit."""
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
        """Such as ``conditional_w1 13.8 sigma (limit 3)``."""
        return f"{self.name} {self.distance:.3g} {self.unit} (limit {self.limit:g})"


CLEAR_SIMILARITY = 0.8
"""Cosine from which an impostor is named: most of the answers agree (0.8 squared: 64 %)."""


@dataclass(frozen=True)
class NearestFailure:
    """How much rejected showers look like those of a known impostor."""

    name: str
    title: str
    similarity: float
    """Cosine of the answers to all checks; 1: the same, 0: nothing in common."""

    def __str__(self) -> str:
        """What the showers look like, or that they look like nothing known."""
        if self.similarity >= CLEAR_SIMILARITY:
            return f"It looks like {self.title}"
        return f"It looks like no known impostor (nearest: {self.title})"


@dataclass(frozen=True)
class GateResult:
    """All answers of a gate."""

    check_results: tuple[CheckResult, ...]
    gate: str = ""
    nearest_failure: NearestFailure | None = None
    strata: str = ""
    """What was compared with what: particles, or bands of conditions."""

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """What is beyond its limit, the worst first."""
        failed = [answer for answer in self.check_results if answer.failed]
        return tuple(sorted(failed, key=lambda a: -a.distance / a.limit))

    @property
    def accepted(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def defined(self) -> int:
        """Number of checks that could be made."""
        return sum(answer.defined for answer in self.check_results)

    def __str__(self) -> str:
        """One line: accepted or rejected, by what, and what the showers look like."""
        if self.accepted:
            return (
                f"Gate ({self.gate}): ACCEPTED, {self.defined} checks within their limits "
                f"({self.strata})."
            )
        worst = ", ".join(str(answer) for answer in self.failures[:SHOWN_FAILURES])
        more = len(self.failures) - SHOWN_FAILURES
        tail = f" and {more} more" if more > 0 else ""
        like = self.nearest_failure
        look = "" if like is None else f" {like} (similarity {like.similarity:.2f})."
        return (
            f"Gate ({self.gate}): REJECTED, {len(self.failures)} of {self.defined} checks "
            f"failed: {worst}{tail}.{look}"
        )

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        like = self.nearest_failure
        return {
            "gate": self.gate,
            "accepted": self.accepted,
            "strata": self.strata,
            "looks_like": None
            if like is None
            else {"name": like.name, "title": like.title, "similarity": like.similarity},
            "answers": [answer.record for answer in self.check_results],
        }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


FORMAT, VERSION = "caloforge-gate", 1
DEFAULT = "default"
ANY = "any"


class Limit(BaseModel):
    """What one check or measure may show at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str | None = None
    """Name of a check, or a pattern such as ``location_*``; the first limit that fits counts."""
    measure: str | None = None
    """Name of a distance of the table, to be held against its floor."""
    sigma: float | None = Field(default=None, gt=0)
    floors: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _is_complete(self) -> Limit:
        if (self.check is None) == (self.measure is None):
            raise ValueError("a limit names one check or one measure")
        if (self.check is None) == (self.floors is None):
            raise ValueError("a check is limited in sigma, a measure in floors")
        if (self.sigma is None) == (self.floors is None):
            raise ValueError("a check is limited in sigma, a measure in floors")
        return self


class Gate(BaseModel):
    """All limits of a sign-off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["caloforge-gate"] = FORMAT  # type: ignore[assignment]
    version: int = VERSION
    detector: str | None = None
    about: str = ""
    limits: tuple[Limit, ...] = Field(min_length=1)


def read_gate(name: str, detector: Detector) -> tuple[str, Gate]:
    """A gate file, or ``default``: the one that ships for the detector; and where it came from.

    Raises UsageError in one line for a file that is none, is newer or is for another detector.
    """
    if name == DEFAULT:
        folder = files("caloforge.evaluate") / "gate"
        found = folder / f"{detector.name}.json"
        chosen = found if found.is_file() else folder / f"{ANY}.json"
        return f"default of {detector.name}", Gate.model_validate_json(chosen.read_text("utf-8"))
    gate = _parsed(Path(name))
    if gate.detector not in (None, detector.name):
        raise UsageError(f"--gate {name} is for {gate.detector}, not for {detector.name}")
    return name, gate


def _parsed(path: Path) -> Gate:
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--gate {path}: cannot be read as JSON ({error})") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise UsageError(f'--gate {path}: its format is not "{FORMAT}"')
    if not isinstance(record.get("version"), int) or record["version"] > VERSION:
        raise UsageError(f"--gate {path}: version {record.get('version')} is newer than {VERSION}")
    try:
        return Gate.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"--gate {path}: {where}: {first['msg']}") from error


def check_limits(
    gate: Gate, check_results: Sequence[CheckResult], result: EvaluationResult | None
) -> GateResult:
    """The answers held against the limits of the gate.

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
        found = next((n for n in limits if fnmatchcase(answer.name, n.check or "")), None)
        if found is not None and found.sigma is not None:
            yield answer.limited(found.sigma, "sigma", math.fabs(answer.sigma))


def _measured(limit: Limit, result: EvaluationResult | None) -> CheckResult:
    """A distance of the table in units of its floor."""
    names = [] if result is None else [r.name for r in result.metrics if r.distance]
    if result is None or limit.measure not in names or limit.floors is None:
        raise UsageError(f"the gate limits {limit.measure}; the table has {', '.join(names)}")
    row = next(row for row in result.metrics if row.name == limit.measure)
    value, floor = result.measured(row.name), result.measured(row.name, REAL)
    known = value.value is not None and bool(floor.value)
    ratio = value.value / floor.value if known else math.nan  # type: ignore[operator]
    answer = CheckResult(
        row.name,
        row.title,
        value.value if value.value is not None else math.nan,
        value.error if value.error is not None else math.nan,
        math.nan,
    )
    return answer.limited(limit.floors, "floors", ratio)
