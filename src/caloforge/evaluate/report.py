"""A judgement as one HTML page that needs nothing else: verdict, table, pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from caloforge.evaluate.judgement import MODEL, REAL, Judgement
from caloforge.evaluate.measure import Row
from caloforge.evaluate.measured import Measured
from caloforge.evaluate.pictures import sections
from caloforge.evaluate.regions import Region
from caloforge.evaluate.table import TOLD, counted, defined_columns
from caloforge.evaluate.traversal import Traversal

if TYPE_CHECKING:
    from caloforge.data.showers import Showers


def report(
    judgement: Judgement,
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    moved: Sequence[Traversal] = (),
) -> str:
    """The page: verdict, comparison with baselines, pictures, all numbers.

    ``real`` and ``generated`` are the showers that were judged, ``train`` those trained on,
    ``moved`` what the generator did while one attribute moved (``traverse``).
    No script, no network.
    """
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("caloforge.evaluate")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("report.html").render(
        judgement=judgement,
        number=_number,
        columns=defined_columns(judgement),
        counted=counted(judgement),
        told=[d for d in judgement.differences if d.measure in TOLD],
        regions=list(_regions(judgement)),
        compared=judgement.compared,
        few=[row for row in judgement.compared if not row.name.startswith(LONG)],
        details=[_detail(judgement, row) for row in judgement.rows_of_table],
        sections=list(sections(judgement, real, generated, train, moved)),
    )


def _number(value: float, error: float) -> str:
    """A difference with its error, a word where it is undefined."""
    if not math.isfinite(value):
        return "undefined"
    return str(Measured(value, error if math.isfinite(error) and error > 0 else None))


LONG = ("separation", "ks_", "mann_whitney_", "band_")
"""Metrics with a row for every observable: shown on demand."""


def _regions(judgement: Judgement) -> Iterator[tuple[str, list[Region]]]:
    """Regions by what they group."""
    for grouping in dict.fromkeys(region.grouping for region in judgement.regions):
        yield GROUPINGS[grouping], [r for r in judgement.regions if r.grouping == grouping]


GROUPINGS = {"kind": "Kind of particle", "energy": "Energy", "impact": "Impact point"}


def _detail(judgement: Judgement, row: Row) -> dict[str, str]:
    """One line of the full table."""
    excess = judgement.difference(row.name, MODEL, REAL)
    return {
        "title": row.title,
        "unit": row.unit,
        "value": str(judgement.measured(row.name)),
        "floor": str(judgement.measured(row.name, REAL)),
        "excess": "-" if excess is None else str(excess),
        "ideal": f"{row.ideal:g}",
    }
