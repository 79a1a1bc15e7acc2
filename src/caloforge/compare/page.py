"""A comparison on disk: one HTML page that needs nothing else, and its numbers beside it."""

from __future__ import annotations

from pathlib import Path

from caloforge.compare.comparison import Comparison, Method
from caloforge.compare.pictures import sections
from caloforge.compare.table import headings, lines, row, sentence
from caloforge.errors import UsageError
from caloforge.evaluate.judgement import REAL
from caloforge.io.files import require_possible_folder, write_aside
from caloforge.reporter import to_json

PAGE, NUMBERS = "comparison.html", "comparison.json"


def check_out(out: Path | None, *, overwrite: bool = False) -> None:
    """Raise UsageError before the work when the comparison could not be written in the end."""
    if out is None:
        return
    require_possible_folder(out)
    for path in (out / PAGE, out / NUMBERS):
        if path.exists() and not overwrite:
            raise UsageError(f"{path} exists already; --force replaces it")


def write_comparison(out: Path, comparison: Comparison, *, overwrite: bool = False) -> None:
    """Write the page and the numbers into a folder."""
    check_out(out, overwrite=overwrite)
    for name, text in (
        (NUMBERS, to_json(comparison.record) + "\n"),
        (PAGE, page(comparison)),
    ):
        with write_aside(out / name, overwrite=overwrite) as part:
            part.write_text(text, encoding="utf-8")


def page(comparison: Comparison) -> str:
    """The page: table, significances, pictures, all numbers. No script, no network."""
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("caloforge.compare")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    shown = lines(comparison)
    compared = [one for one in shown if one.seeds or one.label == REAL]
    return environment.get_template("comparison.html").render(
        comparison=comparison,
        title=f"{comparison.case.real.detector.name}: {counted(len(comparison.methods))} compared",
        headings=headings(comparison),
        rows=[(one, row(comparison, one)) for one in shown],
        sentences=[(sentence(one), one.measured.sigma) for one in comparison.contrasts],
        measure=next(r.title for r in comparison.rows if r.name == comparison.measure),
        sections=list(sections(comparison)),
        details=[_detail(compared, name, title) for name, title in _titles(comparison)],
        compared=compared,
    )


def _titles(comparison: Comparison) -> list[tuple[str, str]]:
    return [(r.name, f"{r.title} [{r.unit}]" if r.unit else r.title) for r in comparison.rows]


def _detail(compared: list[Method], name: str, title: str) -> tuple[str, list[str]]:
    """One line of the table of all numbers: every method, then the floor."""
    numbers = [one.numbers[name].measured for one in compared]
    return title, ["-" if number.value is None else str(number) for number in numbers]


def counted(methods: int) -> str:
    """So many methods, in words."""
    return "1 method" if methods == 1 else f"{methods} methods"
