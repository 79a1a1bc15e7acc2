"""All runs of the benchmark: in processes, resumable, a record each; then tables and pictures."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from caloforge.io.files import write_aside
from caloforge.recipes import recipe_of_name
from caloforge.recipes.points import REGIMES
from caloforge.reporter import Reporter
from validation.points.measure import floor, score
from validation.points.plan import (
    FULL,
    METHODS,
    QUICK,
    Budget,
    Task,
    Weights,
    finals,
    readings,
    trials,
)
from validation.points.run import DRAWS, Record, execute

FLOOR_SEED = 5


def validate(out: Path, *, quick: bool, seed: int, workers: int, reporter: Reporter) -> Record:
    """Train what is not there yet, write records, README.md and pictures into a folder."""
    from validation.points.report import summary, table, write_report

    budget = QUICK if quick else FULL
    (out / "runs").mkdir(parents=True, exist_ok=True)
    floors = write_floors(out)
    runs, weights = out / "runs", usual_weights()
    records: list[Record] = []  # of this plan: the folder may hold those of other weights
    for regime in REGIMES:
        tried = run_all(trials(budget, seed, regime), runs, workers, reporter, f"{regime} trials")
        weights |= choose(tried, floors["validation"])
        final = finals(budget, seed, regime, weights)
        records += tried + run_all(final, runs, workers, reporter, f"{regime} runs")
    records += run_all(readings(budget, seed, weights), runs, workers, reporter, "other readings")
    write_report(out, records, floors)
    result = {"out": str(out), "floors": floors, "means": summary(records)}
    reporter.result(table(records, floors), result)
    return result


def write_floors(out: Path) -> dict[str, dict[str, float]]:
    """Floors of the figures for the sizes of the draws, also in ``floors.json``."""
    rng = np.random.default_rng(FLOOR_SEED)
    found = {
        name: {figure: round(value, 4) for figure, value in floor(DRAWS[name][0], rng).items()}
        for name in ("validation", "test", "large")
    }
    with write_aside(out / "floors.json", overwrite=True) as part:
        part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def run_all(
    tasks: Sequence[Task], folder: Path, workers: int, reporter: Reporter, what: str
) -> list[Record]:
    """Records in the order of the tasks; those that are in the folder are not trained again."""
    groups = alike(tasks)
    with (
        reporter.progress(what, len(tasks), "runs") as advance,
        pool_of(min(workers, len(groups))) as pool,
    ):
        running = {pool.submit(execute, group, folder): group for group in groups}
        for done in as_completed(running):
            done.result()  # raises what the run raised
            advance(len(running[done]), running[done][0].label)
    return [record for done in running for record in done.result()]


def alike(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks that differ in seed and weight only, for training together."""
    groups: dict[tuple[str, ...], list[Task]] = {}
    for task in tasks:
        groups.setdefault((task.part, task.regime, task.label), []).append(task)
    return list(groups.values())


def pool_of(workers: int) -> Executor:
    """Processes, or a thread of this process for a single worker."""
    if workers <= 1:
        return ThreadPoolExecutor(1)
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=single_threaded)


def single_threaded() -> None:
    """Networks this small lose by threads."""
    import torch

    torch.set_num_threads(1)


def choose(tried: Sequence[Record], least: dict[str, float]) -> Weights:
    """For each regime and method the weight of the lowest mean score on validation points."""
    scores: dict[tuple[str, str], dict[float, list[float]]] = {}
    for record in tried:
        by_weight = scores.setdefault((record["regime"], record["method"]), {})
        found = score(record["figures"]["validation"], least)
        by_weight.setdefault(record["weight"], []).append(found)
    return {
        key: min(by_weight, key=lambda weight: float(np.mean(by_weight[weight])))
        for key, by_weight in scores.items()
    }


def usual_weights() -> Weights:
    """The weights of the recipes, for a run without trials."""
    found: Weights = {}
    for name, method in METHODS.items():
        terms = recipe_of_name(name, "points").objective.terms
        named = {type(term).__name__: weight for weight, term in terms}
        for regime in REGIMES:
            found[regime, name] = named.get(method.term or "")
    return found


__all__ = ["Budget", "choose", "run_all", "validate"]
