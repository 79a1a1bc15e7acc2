"""Runs the measurements one after the other, cheapest first, and resumes where it was stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from caloforge.reporter import SILENT, Reporter
from caloforge.validation.transport.points import (
    Measured,
    Point,
    Series,
    all_points,
    measure,
    quick_points,
    series_of,
)
from caloforge.validation.transport.samples import series_of_sample


def run_campaign(
    folder: Path, *, quick: bool, seed: int, samples: Sequence[Path], reporter: Reporter = SILENT
) -> dict[str, tuple[Series, Measured]]:
    """All series with their showers, by name; kept in ``folder`` between runs."""
    folder.mkdir(parents=True, exist_ok=True)
    planned = [series_of(point, seed) for point in points(quick=quick)]
    planned += [series_of_sample(path, seed, quick=quick) for path in samples]
    found: dict[str, tuple[Series, Measured]] = {}
    for series in planned:
        total = len(series.shots)
        with reporter.progress(f"measure {series.name}", total, "showers") as advance:
            found[series.name] = (series, measure(series, folder, advance))
    return found


def points(*, quick: bool) -> list[Point]:
    """The points of a full or of a quick validation."""
    return quick_points() if quick else all_points()


def cost(found: dict[str, tuple[Series, Measured]]) -> dict[str, Any]:
    """CPU seconds of each series."""
    return {name: float(measured.cpu_seconds.sum()) for name, (_, measured) in found.items()}
