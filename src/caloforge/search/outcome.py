"""What a search found: scores of every point on validation particles, and the best one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from caloforge.evaluate.resampling import Measured
from caloforge.search.grid import Axis, Point, title

FORMAT, VERSION = "caloforge-search", 1


@dataclass(frozen=True)
class Outcome:
    """One run: its validation score, or why there is none."""

    point: Point
    seed: int
    folder: Path
    score: float | None
    best_step: int | None = None
    cpu_seconds: float | None = None
    failed: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        fields = {
            name: getattr(self, name) for name in ("seed", "score", "best_step", "cpu_seconds")
        }
        failed = {"failed": self.failed} if self.failed else {}
        return {**fields, "folder": str(self.folder), **failed}


@dataclass(frozen=True)
class PointResult:
    """A point of the grid with its runs."""

    point: Point
    runs: tuple[Outcome, ...]

    @property
    def score(self) -> Measured:
        """Mean over seeds and its standard error; undefined when a run failed."""
        scores = [run.score for run in self.runs if run.score is not None]
        if len(scores) < len(self.runs) or not all(map(math.isfinite, scores)):
            return Measured(None, None, "failed")
        error = stdev(scores) / math.sqrt(len(scores)) if len(scores) > 1 else None
        return Measured(fmean(scores), error)

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of all its runs."""
        return sum(run.cpu_seconds or 0.0 for run in self.runs)

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        runs = [run.record for run in self.runs]
        return {"settings": dict(self.point), "score": self.score.record, "runs": runs}


@dataclass(frozen=True)
class SearchResult:
    """The whole search."""

    recipe: str
    """Name of the recipe."""
    detector: str
    axes: tuple[Axis, ...]
    data: Path
    sha256: str
    points: tuple[PointResult, ...]

    @property
    def best(self) -> PointResult | None:
        """The point of the lowest mean score among those of which no run failed."""
        whole = [one for one in self.ranked if one.score.value is not None]
        return whole[0] if whole else None

    @property
    def ranked(self) -> list[PointResult]:
        """All points, the best one first, failed ones last."""
        return sorted(self.points, key=lambda one: _or_infinity(one.score.value))

    @property
    def record(self) -> dict[str, Any]:
        """For JSON, format and version first."""
        best = self.best
        return {
            "format": FORMAT,
            "version": VERSION,
            "recipe": self.recipe,
            "detector": self.detector,
            "data": {"path": str(self.data), "sha256": self.sha256},
            "chosen_on": "validation particles",
            "grid": {axis.path: list(axis.values) for axis in self.axes},
            "best": None if best is None else dict(best.point),
            "points": [one.record for one in self.ranked],
        }

    def __str__(self) -> str:
        rows = [("settings", "validation score", "seeds", "CPU s"), *map(_line, self.ranked)]
        widths = [max(len(line[n]) for line in rows) for n in range(4)]
        lines = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
            for line in rows
        ]
        failed = [
            f"failed: {run.folder}: {run.failed}"
            for one in self.ranked
            for run in one.runs
            if run.failed
        ]
        best = "none: every point had a failed run" if self.best is None else title(self.best.point)
        return "\n".join([*lines, *failed, f"best on validation particles: {best}"])


def gather(outcomes: Iterable[Outcome], points: Sequence[Point]) -> tuple[PointResult, ...]:
    """Runs by point, seeds in order."""
    by_seed = sorted(outcomes, key=lambda run: run.seed)
    return tuple(PointResult(p, tuple(run for run in by_seed if run.point == p)) for p in points)


def _line(one: PointResult) -> tuple[str, str, str, str]:
    seeds = f"{sum(run.score is not None for run in one.runs)}/{len(one.runs)}"
    return title(one.point), str(one.score), seeds, f"{one.cpu_seconds:.0f}"


def _or_infinity(value: float | None) -> float:
    return math.inf if value is None else value
