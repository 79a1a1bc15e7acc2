"""A judgement as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from caloforge.evaluate.judgement import MODEL, REAL, Judgement
from caloforge.evaluate.measure import Row

COLUMNS = (
    ("w1_all", "W1"),
    ("w1", "W1"),
    ("conditional_w1", "cond. W1"),
    ("spread_slope", "slope"),
    ("spread_correlation", "corr."),
    ("sigma_total", "sig(total)"),
    ("sigma_centre", "sig(centre)"),
    ("centre_error", "centre/mm"),
    ("mean_total", "mean total"),
)
"""Measures of the comparison of candidates, and their short titles."""
LONG = ("separation", "ks_", "mann_whitney_", "event_", "band_")
"""Metrics with a row for every observable: only the report prints them."""
WHOLE = ("w1_all", "mean_total")
"""Measures that take all rows, not equal numbers of them."""
TOLD = ("w1", "conditional_w1")
"""Differences between candidates that are printed."""


def columns(rows: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    """The columns of what was measured; points have no centre."""
    measured = {row.name for row in rows}
    return tuple((name, title) for name, title in COLUMNS if name in measured)


def defined_columns(judgement: Judgement) -> list[tuple[str, str]]:
    """Columns in which a candidate has a number: without repeats most are undefined for all."""
    return [
        (name, title)
        for name, title in columns(judgement.rows_of_table)
        if any(c.measured[name].value is not None for c in judgement.candidates)
    ]


def counted(judgement: Judgement) -> str:
    """Showers a side in a few letters, for the head of a column."""
    return judgement.numbers.split(" (")[0].split(", ")[-1]


def table(judgement: Judgement) -> str:
    """Candidates against measures, differences, then every number of the model with its floor."""
    parts = [
        "\n".join(_head(judgement)),
        _aligned(list(_comparison(judgement))),
        "\n".join(f"  {d}" for d in judgement.differences if d.measure in TOLD),
        _aligned(list(_details(judgement))),
        _aligned(list(_compared(judgement))) if judgement.compared else "",
        "\n".join(f"warning: {warning}" for warning in judgement.warnings),
        judgement.verdict,
        "" if judgement.gate is None else str(judgement.gate),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(judgement: Judgement) -> Iterator[str]:
    yield (
        f"{judgement.detector}: {judgement.generated_rows} generated against {judgement.rows} real "
        f"showers of {judgement.particles} particles, showers as generate writes them"
    )
    yield (
        f"scheme {judgement.scheme}, W1 in {judgement.unit}; equal numbers a particle: "
        f"{judgement.numbers}; errors: {judgement.resamplings} bootstraps over particles"
    )


def _comparison(judgement: Judgement) -> Iterator[Sequence[str]]:
    shown = defined_columns(judgement)
    yield ("", *(title for _, title in shown))
    yield ("", *("(all rows)" if n in WHOLE else f"({counted(judgement)})" for n, _ in shown))
    for candidate in judgement.candidates:
        numbers = (str(candidate.measured[name]) for name, _ in shown)
        yield (candidate.title, *numbers)


def _details(judgement: Judgement) -> Iterator[Sequence[str]]:
    yield ("all measures of the generated showers", "value", "floor", "excess", "ideal")
    for row in judgement.rows_of_table:
        excess = judgement.difference(row.name, MODEL, REAL)
        yield (
            _titled(row, judgement.scheme),
            str(judgement.measured(row.name)),
            str(judgement.measured(row.name, REAL)),
            "-" if excess is None else str(excess),
            f"{row.ideal:g}",
        )


def _compared(judgement: Judgement) -> Iterator[Sequence[str]]:
    """Two-sample metrics of whole samples; those of single observables are in the report."""
    yield ("two-sample metrics", "generated", "real v real", "best")
    for row in judgement.compared:
        if not row.name.startswith(LONG):
            yield (row.title, str(row.value), str(row.floor), row.best)


def _titled(row: Row, scheme: str) -> str:
    """Title with the unit, and the scheme where channels are read out."""
    by_scheme = f" ({scheme})" if "w1" in row.name and ":" in row.title else ""
    return row.title + by_scheme + (f" [{row.unit}]" if row.unit else "")


def _aligned(lines: list[Sequence[str]]) -> str:
    """Columns of one width each, the first to the left, numbers to the right."""
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if n == 0 else text.rjust(width)
            for n, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
