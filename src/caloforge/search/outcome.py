"""What a search found: scores of every point on validation particles, and the best one.

The search itself: runs that are missing are trained, then all of them are compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.evaluate.resampling import Measured
from caloforge.io.files import (
    require_possible_file,
    require_possible_folder,
    sha256_of,
    write_aside,
)
from caloforge.jobs import Call, CallProgress, Done, Executor, Limits, executor_of, only_run
from caloforge.recipe import Recipe
from caloforge.reporter import SILENT, Advance, Reporter, to_json
from caloforge.search.trial import Axis, Point, Trial, finish, plan, points, settings, title

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
        failure = {"failed": self.failed} if self.failed else {}
        return {**fields, "folder": str(self.folder), **failure}


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
        failures = [
            f"failed: {run.folder}: {run.failed}"
            for one in self.ranked
            for run in one.runs
            if run.failed
        ]
        best = "none: every point had a failed run" if self.best is None else title(self.best.point)
        return "\n".join([*lines, *failures, f"best on validation particles: {best}"])


def gather(outcomes: Iterable[Outcome], points: Sequence[Point]) -> tuple[PointResult, ...]:
    """Runs by point, seeds in order."""
    by_seed = sorted(outcomes, key=lambda run: run.seed)
    return tuple(PointResult(p, tuple(run for run in by_seed if run.point == p)) for p in points)


def _line(one: PointResult) -> tuple[str, str, str, str]:
    seeds = f"{sum(run.score is not None for run in one.runs)}/{len(one.runs)}"
    return title(one.point), str(one.score), seeds, f"{one.cpu_seconds:.0f}"


def _or_infinity(value: float | None) -> float:
    return math.inf if value is None else value


RUNS, NUMBERS, BEST = "runs", "search.json", "best.json"
FATAL = (DataError, UsageError)
"""What no other point of the grid would do better with."""


def search(
    recipe: Recipe,
    axes: Sequence[Axis],
    data: str | Path,
    out: str | Path,
    *,
    seeds: int = 1,
    workers: int = 1,
    device: str = "cpu",
    reporter: Reporter = SILENT,
) -> SearchResult:
    """Train every point of the grid with every seed, and choose on validation particles.

    ``out`` gets ``runs/`` with a run folder each, ``search.json`` and ``best.json``, the recipe of
    the best point. What is in ``out`` already is not trained again. A run that fails by itself (a
    gradient that is not finite) rules its point out; raises what every run would meet, DataError
    for showers that do not fit among it.
    """
    from caloforge.data.samples import showers_path
    from caloforge.data.showers import ShowerFile

    data, out = showers_path(data), Path(out)
    grid = points(axes)
    trials = plan(recipe, grid, seeds, out / RUNS)
    require_possible_folder(out)
    for name in (NUMBERS, BEST):
        require_possible_file(out / name, overwrite=True)
    with ShowerFile(data, recipe.resolve()):
        out.mkdir(parents=True, exist_ok=True)
    steps = sum(trial.steps for trial in trials)
    with only_run(out), reporter.progress("search", steps, "steps") as advance:
        outcomes, sha256 = [], sha256_of(data)
        within = CallProgress(advance)
        for outcome in _outcomes(trials, data, sha256, device, executor_of(workers), within):
            outcomes.append(outcome)
        at_points = gather(outcomes, grid)
        result = SearchResult(recipe.name, recipe.detector, tuple(axes), data, sha256, at_points)
        _write(result, recipe, out)
    return result


def _outcomes(
    trials: Sequence[Trial],
    data: Path,
    sha256: str,
    device: str,
    executor: Executor,
    within: CallProgress,
) -> Iterator[Outcome]:
    """Outcome of each run as it ends."""
    calls = [
        Call(attempt, (trial, data, sha256, device), "training", counts=True) for trial in trials
    ]
    runs = 0
    for result in executor.run(calls, Limits(attempts=1), on_count=within.count):
        trial, runs = trials[result.number], runs + 1
        within.count(result.number, trial.steps, f"{runs} of {len(trials)} runs")
        yield _outcome(trial, result)


def attempt(
    trial: Trial, data: Path, sha256: str, device: str, *, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Summary of the finished run; ``advance`` hears how many steps are done."""
    reporter = StepCount(count=advance)
    return finish(trial.recipe, data, sha256, trial.folder, device=device, reporter=reporter)


@dataclass(frozen=True)
class StepCount(Reporter):
    """Only passes on how much is done."""

    quiet: bool = True
    count: Callable[[int], None] = lambda done: None

    @contextmanager
    def progress(
        self, what: str, total: int, unit: str = "rows", done: int = 0
    ) -> Iterator[Advance]:
        """Yield what counts."""

        def advance(n: int = 1, note: str = "") -> None:
            nonlocal done
            done += n
            self.count(done)

        yield advance


def _outcome(trial: Trial, result: Done) -> Outcome:
    if isinstance(result.error, FATAL) or not isinstance(result.error, CaloforgeError | None):
        raise result.error
    if result.error is not None:
        return Outcome(trial.point, trial.seed, trial.folder, None, failed=str(result.error))
    return Outcome(
        trial.point,
        trial.seed,
        trial.folder,
        score=result.value["best_score"],
        best_step=result.value["best_step"],
        cpu_seconds=result.value["cpu_seconds"],
    )


def _write(result: SearchResult, recipe: Recipe, out: Path) -> None:
    from caloforge.recipe import override

    with write_aside(out / NUMBERS, overwrite=True) as part:
        part.write_text(to_json(result.record) + "\n", encoding="utf-8")
    if result.best is None:
        (out / BEST).unlink(missing_ok=True)  # that of an earlier grid
    else:
        best = override(recipe, settings(result.best.point))
        with write_aside(out / BEST, overwrite=True) as part:
            part.write_text(best.to_json() + "\n", encoding="utf-8")
