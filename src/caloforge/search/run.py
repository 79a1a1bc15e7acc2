"""The search itself: runs that are missing are trained, then all of them are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.io.files import (
    require_possible_file,
    require_possible_folder,
    sha256_of,
    write_aside,
)
from caloforge.jobs import Call, Done, Executor, Limits, executor_of, only_run
from caloforge.reporter import SILENT, Reporter, to_json
from caloforge.search.grid import Axis, points, settings
from caloforge.search.outcome import Outcome, SearchResult, gather
from caloforge.search.trial import Trial, finish, plan

if TYPE_CHECKING:
    from caloforge.recipe import Recipe

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
    with only_run(out), reporter.progress("search", len(trials), "runs") as advance:
        outcomes, sha256 = [], sha256_of(data)
        for outcome in _outcomes(trials, data, sha256, device, executor_of(workers)):
            outcomes.append(outcome)
            advance(1, outcome.folder.name)
        at_points = gather(outcomes, grid)
        result = SearchResult(recipe.name, recipe.detector, tuple(axes), data, sha256, at_points)
        _write(result, recipe, out)
    return result


def _outcomes(
    trials: Sequence[Trial], data: Path, sha256: str, device: str, executor: Executor
) -> Iterator[Outcome]:
    """Outcome of each run as it ends."""
    calls = [Call(attempt, (trial, data, sha256, device), "training") for trial in trials]
    for result in executor.run(calls, Limits(attempts=1)):
        yield _outcome(trials[result.number], result)


def attempt(trial: Trial, data: Path, sha256: str, device: str) -> dict[str, Any]:
    """Summary of the finished run."""
    return finish(trial.recipe, data, sha256, trial.folder, device=device)


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
    if result.best is not None:
        best = override(recipe, settings(result.best.point))
        with write_aside(out / BEST, overwrite=True) as part:
            part.write_text(best.to_json() + "\n", encoding="utf-8")
