"""``validate transport``: measure what is not there yet, then numbers, pictures and a page."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from caloforge.errors import GateFailed
from caloforge.reporter import Reporter
from validation.transport.measuring import Measured, Series, measure
from validation.transport.page import results_of, write_page
from validation.transport.points import all_points, quick_points, series_of
from validation.transport.samples import samples_in, series_of_sample


def validate(
    out: Path, *, quick: bool, seed: int, workers: int, reporter: Reporter
) -> dict[str, Any]:
    """Results of the validation, also as JSON, pictures and README.md in ``out``.

    Raises GateFailed, after writing all, when a statement is not met (never when quick).
    """
    samples = samples_in(out)
    series = plan(samples, quick=quick, seed=seed)
    showers = out / f"showers-{series[0].tables.kind}"
    found = run(series, showers, workers, reporter)
    command = f"python -m validation transport{' --quick' if quick else ''} --seed {seed}"
    results = results_of(found, samples, seed=seed, command=command)
    checks = write_page(out, results, found, seed)
    failed = [check for check in checks if not check.met]
    met = f"{len(checks) - len(failed)} of {len(checks)} statements are met"
    reporter.result(f"{met}; see {out / 'README.md'}", results)
    if failed and not quick:
        raise GateFailed(f"{met}; first: {failed[0].statement}: {failed[0].found}")
    return results


def plan(samples: Sequence[Path], *, quick: bool, seed: int) -> list[Series]:
    """All series: the points, then the particles of the samples."""
    points = quick_points() if quick else all_points()
    named = [series_of(point, seed) for point in points]
    return [*named, *(series_of_sample(path, seed, quick=quick) for path in samples)]


def run(
    planned: Sequence[Series], folder: Path, workers: int, reporter: Reporter
) -> dict[str, tuple[Series, Measured]]:
    """Showers of all series, several series at once; kept in ``folder`` between runs."""
    folder.mkdir(parents=True, exist_ok=True)
    lock, total = threading.Lock(), sum(len(series.shots) for series in planned)
    with (
        reporter.progress("measure", total, "showers") as advance,
        ThreadPoolExecutor(workers) as pool,
    ):

        def one(series: Series) -> tuple[Series, Measured]:
            def count(showers: int) -> None:
                with lock:
                    advance(showers, series.name)

            return series, measure(series, folder, count)

        return {series.name: (series, measured) for series, measured in pool.map(one, planned)}
