"""Results on disk: one HTML page that needs nothing else, and its numbers beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caloforge.errors import UsageError
from caloforge.evaluate.attributes import Traversal
from caloforge.evaluate.baselines import REAL
from caloforge.evaluate.comparison import Comparison
from caloforge.evaluate.paired import Region
from caloforge.evaluate.resampling import Measured
from caloforge.evaluate.result import EvaluationResult
from caloforge.io.files import require_possible_file, require_possible_folder, write_aside
from caloforge.report import comparison_sections, tables
from caloforge.report.sections import sections
from caloforge.reporter import SILENT, Reporter, to_json

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

PAGE, NUMBERS = ".html", ".json"
COMPARISON_PAGE, COMPARISON_NUMBERS = "comparison.html", "comparison.json"
SECTIONS = 9
"""Of a page, about: what progress is told in."""
GROUPINGS = {"kind": "Kind of particle", "energy": "Energy", "impact": "Impact point"}


def report(
    result: EvaluationResult,
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    traversals: Sequence[Traversal] = (),
    reporter: Reporter = SILENT,
) -> str:
    """The page: summary, comparison with baselines, pictures, all numbers.

    ``real`` and ``generated`` are the showers that were evaluated, ``train`` those trained on,
    ``moved`` what the generator did while one attribute moved (``traverse``).
    No script, no network.
    """
    finished_sections = []
    with reporter.progress("drawing", SECTIONS, "sections") as advance:
        for section in sections(result, real, generated, train, traversals):
            pictures = []
            for picture in section.pictures:
                pictures.append(picture)
                advance(0, f"{section.title}, {len(pictures)}")
            finished_sections.append(replace(section, pictures=pictures))
            if len(finished_sections) < SECTIONS:
                advance(1, section.title)
        advance(max(1, SECTIONS - len(finished_sections) + 1))
    return _rendered(
        "report.html",
        result=result,
        number=_number,
        columns=tables.columns(result),
        counted=tables.showers_text(result),
        differences=tables.printed_differences(result),
        regions=list(_regions(result)),
        short=[row for row in result.two_sample if not row.metric.long],
        long=[row for row in result.two_sample if row.metric.long],
        details=[(metric, tables.detail(result, metric)) for metric in result.metrics],
        sections=finished_sections,
    )


def comparison_page(comparison: Comparison) -> str:
    """The page: table, significances, pictures, all numbers. No script, no network."""
    methods = tables.ranked(comparison)
    compared = [method for method in methods if method.seeds or method.label == REAL]
    count = len(comparison.methods)
    return _rendered(
        "comparison.html",
        comparison=comparison,
        title=f"{comparison.inputs.real.detector.name}: {count} method{'s' * (count > 1)} compared",
        headings=tables.headings(comparison),
        rows=[(method, tables.comparison_row(comparison, method)) for method in methods],
        sentences=[(tables.sentence(one), one.measured.sigma) for one in comparison.contrasts],
        measure=next(m.title for m in comparison.metrics if m.name == comparison.measure),
        sections=list(comparison_sections.sections(comparison)),
        details=[
            (metric.label, [tables.dashed(method, metric.name) for method in compared])
            for metric in comparison.metrics
        ],
        compared=compared,
    )


def _rendered(template: str, **values: Any) -> str:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("caloforge.report")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(template).render(**values)


def _number(value: float, error: float) -> str:
    """A difference with its error, a word where it is undefined."""
    if not math.isfinite(value):
        return "undefined"
    return str(Measured(value, error if math.isfinite(error) and error > 0 else None))


def _regions(result: EvaluationResult) -> Iterator[tuple[str, list[Region]]]:
    """Regions by what they group."""
    for grouping in dict.fromkeys(region.grouping for region in result.regions):
        yield GROUPINGS[grouping], [r for r in result.regions if r.grouping == grouping]


def check_out(out: Path | None, *, overwrite: bool = False) -> None:
    """Raise UsageError before hours of work when the report could not be written in the end."""
    if out is None:
        return
    if out.suffix.lower() != PAGE:
        raise UsageError(f"--out {out}: name a report that ends in {PAGE}")
    for path in (out, out.with_suffix(NUMBERS)):
        require_possible_file(path, overwrite=overwrite)


def check_comparison_out(out: Path | None, *, overwrite: bool = False) -> None:
    """Raise UsageError before the work when the comparison could not be written in the end."""
    if out is None:
        return
    require_possible_folder(out)
    for name in (COMPARISON_PAGE, COMPARISON_NUMBERS):
        require_possible_file(out / name, overwrite=overwrite)


def write_report(
    out: str | Path,
    result: EvaluationResult,
    real: Showers,
    generated: Showers,
    *,
    train: Showers | None = None,
    traversals: Sequence[Traversal] = (),
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> None:
    """Write the page to ``out`` and the result as JSON beside it."""
    out = Path(out)
    check_out(out, overwrite=overwrite)
    page = report(result, real, generated, train, traversals, reporter)
    _write({out.with_suffix(NUMBERS): result.to_json() + "\n", out: page}, overwrite)


def write_comparison(out: str | Path, comparison: Comparison, *, overwrite: bool = False) -> None:
    """Write the page and the numbers into a folder."""
    out = Path(out)
    check_comparison_out(out, overwrite=overwrite)
    page, numbers = comparison_page(comparison), to_json(comparison.record) + "\n"
    _write({out / COMPARISON_NUMBERS: numbers, out / COMPARISON_PAGE: page}, overwrite)


def _write(texts: Mapping[Path, str], overwrite: bool) -> None:
    """Write all files or none: a full disk leaves no page without its numbers."""
    with ExitStack() as stack:
        for path, text in texts.items():
            part = stack.enter_context(write_aside(path, overwrite=overwrite))
            part.write_text(text, encoding="utf-8")
