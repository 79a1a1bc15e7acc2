"""What is measured: series of one particle and energy, and the particles of the shipped samples."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from caloforge.data.samples import sample_path
from caloforge.machine import processor
from caloforge.training.folder import commit
from caloforge.transport.data_tables import find_tables
from validation.runner import WORK, Record, Records
from validation.transport.checks import figures_of_point
from validation.transport.measuring import Series, measure
from validation.transport.points import all_points, quick_points, series_of
from validation.transport.samples import SHOWERS, compare, sample_name, series_of_sample


@dataclass(frozen=True)
class SeriesRun:
    """The showers of one series; they stay in the work folder and grow there."""

    series: str
    seed: int
    quick: bool
    kind: str
    """Of the engine's data tables: two kinds stand beside each other on the page."""
    part: str = "series"

    @property
    def name(self) -> str:
        """File name of the record, without suffix."""
        return f"{self.kind}-{self.series}"

    def is_record_of(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of these seeds and not of fewer showers."""
        return bool(record["seed"] == self.seed and (self.quick or not record["quick"]))

    def execute(self, folder: Path) -> Record:
        """Measure what is missing. Raises Terminated after SIGTERM; the showers made are kept."""
        series = self.shot_series()
        measured = measure(series, folder / WORK)
        sample = self.series.removeprefix("sample-")
        if sample == self.series:
            figures = figures_of_point(self.series, measured, self.seed)
        else:
            figures = compare(series, measured, sample_path(sample))
        return {
            "format": "caloforge-validation-run",
            "version": 2,
            "study": "transport",
            "part": self.part,
            "series": self.series,
            "seed": self.seed,
            "quick": self.quick,
            "command": f"python -m validation transport --seed {self.seed} --only {self.name}",
            "commit": commit(),
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "hardware": f"{processor()}, {os.cpu_count()} cores",
            "tables": series.tables.describe(),
            "tables_kind": series.tables.kind,
            "showers": len(measured),
            "cpu_seconds": round(float(measured.cpu_seconds.sum()), 2),
            "figures": figures,
        }

    def shot_series(self) -> Series:
        """The shots of this series."""
        points = {one.name: one for one in (quick_points() if self.quick else all_points())}
        if self.series in points:
            return series_of(points[self.series], self.seed)
        path = sample_path(self.series.removeprefix("sample-"))
        return series_of_sample(path, self.seed, quick=self.quick)


@cache
def tables_kind() -> str:
    """Which data tables the engine finds here."""
    return find_tables([], hadronic=False, environ=os.environ).kind


def plan(quick: bool, seed: int, records: Records) -> Iterator[SeriesRun]:
    """All series: the points, what the statements need first, then the samples."""
    del records
    for name in series_names(quick=quick):
        yield SeriesRun(name, seed, quick, tables_kind())


def series_names(*, quick: bool = False) -> list[str]:
    """Names of all series in their order."""
    points = quick_points() if quick else all_points()
    return [*(point.name for point in points), *map(sample_name, SHOWERS)]
