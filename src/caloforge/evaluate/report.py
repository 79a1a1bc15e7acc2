"""A judgement as one HTML page that needs nothing else: verdict, table, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caloforge.evaluate.judgement import MODEL, REAL, Judgement
from caloforge.evaluate.measures import Row
from caloforge.evaluate.pictures import sections
from caloforge.evaluate.table import COLUMNS, TOLD

if TYPE_CHECKING:
    from caloforge.data.showers import Showers


def report(judgement: Judgement, real: Showers, generated: Showers) -> str:
    """The page: verdict, comparison with baselines, pictures, all numbers.

    ``real`` and ``generated`` are the showers that were judged. No script, no network.
    """
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("caloforge.evaluate")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("report.html").render(
        judgement=judgement,
        columns=COLUMNS,
        told=[d for d in judgement.differences if d.measure in TOLD],
        details=[_detail(judgement, row) for row in judgement.rows_of_table],
        sections=list(sections(judgement, real, generated)),
    )


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
