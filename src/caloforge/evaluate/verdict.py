"""What a gate said: every answer with its limit, and what rejected showers look like."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

SHOWN_FAILURES = 6


@dataclass(frozen=True)
class Answer:
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

    def limited(self, limit: float, unit: str, distance: float) -> Answer:
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
class Likeness:
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
class Verdict:
    """All answers of a gate."""

    answers: tuple[Answer, ...]
    gate: str = ""
    likeness: Likeness | None = None
    strata: str = ""
    """What was compared with what: particles, or bands of conditions."""

    @property
    def failures(self) -> tuple[Answer, ...]:
        """What is beyond its limit, the worst first."""
        failed = [answer for answer in self.answers if answer.failed]
        return tuple(sorted(failed, key=lambda a: -a.distance / a.limit))

    @property
    def accepted(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def defined(self) -> int:
        """Number of checks that could be made."""
        return sum(answer.defined for answer in self.answers)

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
        like = self.likeness
        look = "" if like is None else f" {like} (similarity {like.similarity:.2f})."
        return (
            f"Gate ({self.gate}): REJECTED, {len(self.failures)} of {self.defined} checks "
            f"failed: {worst}{tail}.{look}"
        )

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        like = self.likeness
        return {
            "gate": self.gate,
            "accepted": self.accepted,
            "strata": self.strata,
            "looks_like": None
            if like is None
            else {"name": like.name, "title": like.title, "similarity": like.similarity},
            "answers": [answer.record for answer in self.answers],
        }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
