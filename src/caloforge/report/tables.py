"""Results as text: tables for a terminal, and the table of the README."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from caloforge.documents import read_json
from caloforge.evaluate.baselines import MODEL, REAL
from caloforge.evaluate.comparison import Comparison, Contrast, Method
from caloforge.evaluate.metrics.metric import Metric
from caloforge.evaluate.resampling import Measured
from caloforge.evaluate.result import Difference, EvaluationResult

COLUMNS = 80
"""Width of a terminal that is not asked."""
TITLE_WIDTH, CELL_WIDTH, GAP = 34, 19, 2
EXCESS = ("excess",)


def columns(result: EvaluationResult) -> list[Metric]:
    """Columns in which a sample has a number: without repeats most are undefined for all."""
    return [
        metric
        for metric in result.metrics
        if metric.column
        and any(row.measured[metric.name].value is not None for row in result.candidates)
    ]


def showers_text(result: EvaluationResult) -> str:
    """Showers a side in a few letters, for the head of a column."""
    return result.n_showers.split(" (")[0].split(", ")[-1]


def printed_differences(result: EvaluationResult) -> list[Difference]:
    """Differences of the distances at equal numbers that are columns of channel sums."""
    names = {m.name for m in result.metrics if m.distance and m.by_region and m.column}
    return [difference for difference in result.differences if difference.measure in names]


def table(result: EvaluationResult, width: int | None = None) -> str:
    """Samples against metrics, differences, then every number of the model with its floor.

    ``width`` in columns: what is wider is folded.
    """
    aligned = partial(tabulated, width=width)
    parts = [
        "\n".join(_head(result)),
        aligned(list(_comparison(result))),
        "\n".join(f"  {difference}" for difference in printed_differences(result)),
        aligned(list(_details(result, narrow=width is not None))),
        aligned(list(_two_sample(result))) if result.two_sample else "",
        "\n".join(f"warning: {warning}" for warning in result.warnings),
        result.summary,
        "" if result.gate is None else "\n".join((str(result.gate), *result.gate.explanation)),
    ]
    return "\n\n".join(folded(part, width) for part in parts if part)


def _head(result: EvaluationResult) -> Iterator[str]:
    yield (
        f"{result.detector}: {result.generated_rows} generated against {result.rows} real "
        f"showers of {result.particles} particles, showers as generate writes them"
    )
    yield (
        f"scheme {result.scheme}, W1 in {result.unit}; equal numbers a particle: "
        f"{result.n_showers}; errors: {result.resamplings} bootstraps over particles"
    )


def _comparison(result: EvaluationResult) -> Iterator[Sequence[str]]:
    metrics = columns(result)
    yield ("", *(metric.column for metric in metrics))
    yield ("", *("(all rows)" if m.all_rows else f"({showers_text(result)})" for m in metrics))
    for row in result.candidates:
        yield (row.title, *(str(row.measured[metric.name]) for metric in metrics))


def _details(result: EvaluationResult, *, narrow: bool) -> Iterator[Sequence[str]]:
    """Every metric; a narrow table leaves the excess over the floor out."""
    yield ("all metrics of the generated showers", "value", "floor", *EXCESS[narrow:], "ideal")
    for metric in result.metrics:
        value, floor, excess, ideal = detail(result, metric)
        yield (_titled(metric, result.scheme), value, floor, *(excess,)[narrow:], ideal)


def detail(result: EvaluationResult, metric: Metric) -> tuple[str, ...]:
    """Value, floor, excess over the floor and ideal of a metric."""
    excess = result.difference(metric.name, MODEL, REAL)
    return (
        str(result.measured(metric.name)),
        str(result.measured(metric.name, REAL)),
        "-" if excess is None else str(excess),
        metric.ideal if isinstance(metric.ideal, str) else f"{metric.ideal:g}",
    )


def _two_sample(result: EvaluationResult) -> Iterator[Sequence[str]]:
    """Two-sample metrics of whole samples; those of single observables are in the report."""
    yield ("two-sample metrics", "generated", "real v real", "best")
    for row in result.two_sample:
        if not row.metric.long:
            yield (row.title, str(row.value), str(row.floor), row.best)


def _titled(metric: Metric, scheme: str) -> str:
    """Title with the unit, and the scheme where channels are read out."""
    by_scheme = f" ({scheme})" if metric.group == "channels" and metric.long else ""
    return metric.title + by_scheme + (f" [{metric.unit}]" if metric.unit else "")


def tabulated(lines: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Columns of one width each, the first to the left, numbers to the right.

    Where they are wider than ``width``, long texts are wrapped, and columns that do not fit follow
    below with the first column once more.
    """
    if width is None:
        return _aligned(lines)
    rows = [row for line in lines for row in _rows(line)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(lines[0]))]
    blocks: list[list[int]] = [[]]
    for column in range(1, len(widths)):
        if not any(line[column] for line in lines[1:]):
            continue
        line_width = widths[0] + sum(widths[n] + GAP for n in blocks[-1])
        if blocks[-1] and line_width + widths[column] + GAP > width:
            blocks.append([])
        blocks[-1].append(column)
    return "\n\n".join(
        _aligned([[row[0], *(row[n] for n in block)] for row in rows]) for block in blocks
    )


def _rows(line: Sequence[str]) -> Iterator[list[str]]:
    """The rows of a line whose long texts are wrapped."""
    cells = [
        textwrap.wrap(text, CELL_WIDTH if n else TITLE_WIDTH) or [""] for n, text in enumerate(line)
    ]
    for row in range(max(map(len, cells))):
        yield [cell[row] if row < len(cell) else "" for cell in cells]


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    return "\n".join(
        (" " * GAP)
        .join(
            text.rjust(width) if n else text.ljust(width)
            for n, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        .rstrip()
        for line in lines
    )


def folded(text: str, width: int | None, indent: int = 4) -> str:
    """Lines of at most so many columns; what follows is indented."""
    if width is None:
        return text
    lines = text.split("\n")
    return "\n".join(
        line
        if len(line) <= width
        else textwrap.fill(
            line,
            width,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines
    )


def comparison_table(comparison: Comparison, width: int | None = None) -> str:
    """Methods and references against metrics, then who is better than whom."""
    lines = [(one.title, *comparison_row(comparison, one)) for one in ranked(comparison)]
    parts = [
        "\n".join(_comparison_head(comparison)),
        tabulated([("", *headings(comparison)), *lines], width),
        "\n".join(f"{m.label}: {m.settings}" for m in comparison.methods if m.settings),
        "\n".join(_contrasts(comparison)),
        "\n".join(f"warning: {warning}" for warning in comparison.warnings),
    ]
    return "\n\n".join(folded(part, width) for part in parts if part)


def _contrasts(comparison: Comparison) -> Iterator[str]:
    if comparison.contrasts:
        how = "paired bootstrap over particles, seeds pooled"
        yield f"differences in {comparison.measure} ({how}):"
    for one in comparison.contrasts:
        yield f"  {sentence(one)}"


def headings(comparison: Comparison) -> list[str]:
    """Titles of the columns after the first."""
    return [*map(_heading, _comparison_columns(comparison)), "seeds", "CPU s"]


def _heading(metric: Metric) -> str:
    return f"{metric.column}, all rows" if metric.distance and metric.all_rows else metric.column


def _comparison_columns(comparison: Comparison) -> list[Metric]:
    return [metric for metric in comparison.metrics if metric.column]


def ranked(comparison: Comparison) -> tuple[Method, ...]:
    """Methods, the best one first, then references."""
    measure = comparison.measure
    methods = sorted(comparison.methods, key=lambda one: _rank(one.numbers[measure].measured))
    return (*methods, *comparison.references)


def _rank(measured: Measured) -> float:
    """An undefined number goes last."""
    return math.inf if measured.value is None else measured.value


def comparison_row(comparison: Comparison, method: Method) -> list[str]:
    """One line of the table, without its title."""
    numbers = [dashed(method, metric.name) for metric in _comparison_columns(comparison)]
    seconds = "" if method.cpu_seconds is None else f"{method.cpu_seconds:.0f}"
    return [*numbers, str(len(method.seeds) or ""), seconds]


def sentence(one: Contrast) -> str:
    """Such as ``dcgan - calibrated = 30.1 ± 1.2 (25 sigma; particles alone 26)``."""
    both, alone = one.measured.sigma, one.particles.sigma
    tail = "" if both is None or alone is None else f" ({both:.1f} sigma; by particles {alone:.1f})"
    return f"{one.second} - {one.first} = {one.measured}{tail}"


def dashed(method: Method, name: str) -> str:
    """A number of a method, a dash where it is undefined."""
    number = method.numbers[name].measured
    return "-" if number.value is None else str(number)


def _comparison_head(comparison: Comparison) -> Iterator[str]:
    real = comparison.inputs.real
    yield (
        f"{real.detector.name}: {len(real)} real showers of "
        f"{comparison.particles} particles, as many generated by each run"
    )
    yield (
        f"scheme {comparison.scheme}, W1 in {real.detector.unit}; equal numbers a particle: "
        f"{comparison.n_showers}; mean over seeds ± error of particles and seeds"
    )


README_METRICS = {
    "conditional_w1": "conditional W1",
    "w1": "W1",
    "spread_slope": "spread slope",
    "sigma_total": "sigma(total)",
}
"""Metrics that the README shows, and their titles."""
BASELINES = ("real", "nearest", "mean_image", "shuffled")
"""Samples beside the simulators, as evaluated with the first of them."""
TITLES = {
    "calibrated-shipped": "`calibrated`, the shipped simulator (11 CPU minutes)",
    "calibrated-demo": "`calibrated`, in the demo (77 CPU seconds)",
    "sdi-gan-demo": "`sdi-gan`, in the demo (154 CPU seconds)",
}
"""Committed results of ``validation/shipped`` that the README shows, in its order."""


def results_table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Records of results by title, and the baselines of the first one, as a Markdown table."""
    first = next(iter(records.values()))
    lines = [
        ["", *(f"{title}" for title in README_METRICS.values())],
        ["---"] * (1 + len(README_METRICS)),
        *(_result_line(title, record["candidates"]["model"]) for title, record in records.items()),
        *_baseline_lines(first["candidates"]),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _baseline_lines(candidates: Mapping[str, Any]) -> Iterator[list[str]]:
    for name in BASELINES:
        if name in candidates:
            yield _result_line(candidates[name]["title"], candidates[name])


def _result_line(title: str, candidate: Mapping[str, Any]) -> list[str]:
    return [title, *(str(Measured(**candidate[measure])) for measure in README_METRICS)]


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Committed results of a folder by their titles, in the order of ``TITLES``."""
    return {title: read_json(folder / f"{name}.json") for name, title in TITLES.items()}
