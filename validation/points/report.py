"""README.md of the benchmark, rendered from its records alone, and its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caloforge.io.files import write_aside
from caloforge.recipes.points import REGIMES
from validation.points.bars import reached
from validation.points.measure import NAMES
from validation.points.plan import METHODS, READINGS

Record = Mapping[str, Any]
Floors = Mapping[str, Mapping[str, float]]

PAPER: dict[str, tuple[float, float, float, float]] = {
    "dcgan": (0.2, 2.3, 0.7, 7.4),
    "ms-gan": (115.5, 280.7, 9.0, 6.7),
    "divco": (163.3, 3.7, 1.1, 7.0),
    "sdi-gan": (3.3, 127.4, 1.2, 2.1),
}
"""Table 1 of arXiv:2207.01561: variance at spread 0 and 1, W1 at spread 0 and 1."""
FOOTNOTE = (
    "¹ The two variances of DivCo look exchanged in the paper's text: 163.3 at spread 0 does not "
    "fit its W1 of 1.1, 3.7 does."
)
COLUMNS = ("method", "weight", "var 0", "var 1", "W1 0", "W1 1", "CPU s")


def write_report(out: Path, records: Sequence[Record], floors: Floors) -> None:
    """README.md, and figures 1 and 3 where records keep points."""
    from caloforge.report.canvas import save
    from validation.points.pictures import generated_points, real_points

    with write_aside(out / "README.md", overwrite=True) as part:
        part.write_text(render(records, floors), encoding="utf-8")
    save(real_points(), out / "figure1.png")
    for regime in REGIMES:
        shown = [one for one in finals(records, regime) if "points" in one]
        if shown:
            save(generated_points(shown), out / f"figure3-{regime}.png")


def render(records: Sequence[Record], floors: Floors) -> str:
    """The whole page, a pure function of the records."""
    commits = sorted({str(one["commit"]) for one in records})
    seconds = sum(one["cpu_seconds"] for one in records)
    parts = [
        INTRODUCTION,
        *(regime_section(records, floors, regime) for regime in REGIMES),
        bars_section(records),
        window_section(records),
        readings_section(records),
        f"## Provenance\n\n{len(records)} runs, {seconds / 60:.0f} CPU-minutes, "
        f"commit {', '.join(commits)}. One JSON record a run in `runs/`: recipe, seed, checksums "
        "of the draws, figures, CPU seconds. This page is rendered from them and a test renders "
        "it again.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def regime_section(records: Sequence[Record], floors: Floors, regime: str) -> str:
    """Table 1 of one regime, with the paper's rows and the floors."""
    found = finals(records, regime)
    if not found:
        return ""
    sections = [f"## Table 1, {regime} regime", f"{REGIME_NOTES[regime]}"]
    for draw, number in (("test", 1000), ("large", 5000)):
        rows = [row(one, group, draw) for one, group in by_label(found).items()]
        floor = cells(f"{floors[draw][name]:.2f}" for name in NAMES)
        sections += [
            f"Points per cluster: {number}.",
            "\n".join([head(), *rows, f"| *floor: real against real* | | {floor} | |"]),
        ]
    sections += [
        "The paper's row for comparison (it does not give its number of points):",
        "\n".join([head("paper", *COLUMNS[2:6]), *(f"| {row} |" for row in papers())]),
        FOOTNOTE,
        f"![Generated points, {regime} regime](figure3-{regime}.png)",
    ]
    return "\n\n".join(sections)


def papers() -> list[str]:
    """Rows of the paper's Table 1, without their outer bars."""
    return [
        f"{name}{'¹' if name == 'divco' else ''} | {cells(map(str, values))}"
        for name, values in PAPER.items()
    ]


def bars_section(records: Sequence[Record]) -> str:
    """What had to be reached, and what was."""
    rows = reached(lambda regime: finals(records, regime), mean_and_error)
    lines = [f"| {cells(row)} |" for row in rows]
    names = ("statement", "regime", "points per cluster", "found", "met")
    return "\n\n".join(["## What had to be reached", "\n".join([head(*names), *lines])])


def window_section(records: Sequence[Record]) -> str:
    """What each weight gave in the trials, on validation points."""
    rows = []
    for regime in REGIMES:
        for name, method in METHODS.items():
            for weight in method.weights:
                group = [
                    one
                    for one in records
                    if (one["part"], one["regime"], one["method"], one["weight"])
                    == ("trial", regime, name, weight)
                ]
                if group:
                    rows.append(f"| {regime} | {row_of(name, weight, group, 'validation')}")
    lines = [head("regime", *COLUMNS), *rows]
    return "\n\n".join(["## Trials", TRIALS, "\n".join(lines)]) if rows else ""


def readings_section(records: Sequence[Record]) -> str:
    """The other readings of the papers' terms and the parts of ``calibrated``."""
    found = by_label([one for one in records if one["part"] == "reading"])
    rows = [row(name, found[name], "test") for name in READINGS if name in found]
    return "\n\n".join(["## Other readings", READING, "\n".join([head(), *rows])]) if rows else ""


def finals(records: Iterable[Record], regime: str) -> list[Record]:
    """Final runs of a regime in the order of the methods."""
    order = list(METHODS)
    chosen = [one for one in records if one["part"] == "final" and one["regime"] == regime]
    return sorted(chosen, key=lambda one: (order.index(one["method"]), one["seed"]))


def by_label(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Records of one method or reading together."""
    groups: dict[str, list[Record]] = {}
    for one in records:
        groups.setdefault(one["label"], []).append(one)
    return groups


def row(name: str, group: Sequence[Record], draw: str) -> str:
    """Means and errors of the mean over seeds."""
    return "| " + row_of(name, group[0]["weight"], group, draw)


def row_of(name: str, weight: float | None, group: Sequence[Record], draw: str) -> str:
    """A row without its first bar."""
    values = [mean_and_error([one["figures"][draw][figure] for one in group]) for figure in NAMES]
    seconds = float(np.mean([one["cpu_seconds"] for one in group]))
    shown = "" if weight is None else f"{weight:g}"
    return f"{name} | {shown} | {cells(values)} | {seconds:.0f} |"


def summary(records: Sequence[Record]) -> dict[str, dict[str, dict[str, float]]]:
    """Means over seeds at 1000 points per cluster, by regime, method and figure."""
    return {
        regime: {
            name: {f: float(np.mean([one["figures"]["test"][f] for one in group])) for f in NAMES}
            for name, group in by_label(finals(records, regime)).items()
        }
        for regime in REGIMES
    }


def mean_and_error(values: Sequence[float]) -> str:
    """Mean ± standard error over seeds; the bare value of a single seed."""
    digits = 1 if np.mean(values) >= 20 else 2
    mean = f"{np.mean(values):.{digits}f}"
    if len(values) < 2:
        return mean
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{mean} ± {error:.{digits}f}"


def head(*columns: str) -> str:
    """Head of a table, by default that of the methods."""
    names = columns or COLUMNS
    return f"| {cells(names)} |\n| {cells(['---'] * len(names))} |"


def cells(values: Iterable[str]) -> str:
    """Cells of a table row."""
    return " | ".join(values)


def table(records: Sequence[Record], floors: Floors) -> str:
    """What the command line prints: both regimes at 1000 points per cluster, and the paper."""
    lines = []
    for regime in REGIMES:
        lines += [f"{regime} regime", cells(COLUMNS)]
        for name, group in by_label(finals(records, regime)).items():
            lines.append(row(name, group, "test").strip("| "))
        floor = cells(f"{floors['test'][name]:.2f}" for name in NAMES)
        lines += [f"floor: real against real |  | {floor}", ""]
    lines += ["Table 1 of arXiv:2207.01561", cells(["paper", *COLUMNS[2:6]]), *papers(), FOOTNOTE]
    return "\n".join(lines)


INTRODUCTION = """# The 2-D benchmark of SDI-GAN

**Claim** ([2207.01561](https://arxiv.org/abs/2207.01561), section 4.1 and Table 1): regularisers
that widen everything lose where points must be consistent; the selective one keeps both.

**Command**: `python -m validation points` (full, two cores), `python -m validation points --quick`.

**Set**: nine classes with centres on {-100, 0, 100}², standard deviation 1 (spread 0) or 10
(spread 1); 1000 training points of each class and spread. True variances: 1 and 100. Networks:
dense 64-64 both, 10 latents; batches of 16 clusters x 4 points. W1: one-dimensional, per cluster
and coordinate, averaged. Numbers are mean ± standard error over seeds that chose nothing; the last
generator of a run is judged. The weight of every method was chosen on validation points among four
weights x two other seeds, by the sum over both spreads of W1 over its floor. Runs that differ in
seed and weight only were trained as one: each is, to rounding, what its recipe gives alone for the
first 6 steps (a test), and of the same law after; CPU s is their share. Every record names the
commit that made it: later code differs in arithmetic (numbers below 1e-38 count as zero in a step)
and gives other numbers of the same law. Where no trials are listed (`--quick`), weights are those
of the recipes.

![The real points](figure1.png)

Figure 1: the set. Figures 3, below: what each method makes of it (first seed). They show what the
paper's figures 1 and 3 are about; the typeset ones were not at hand."""
REGIME_NOTES = {
    "fragile": "Adam with β₁ = 0.9 and rate 10⁻³ for both players: the plain conditional GAN "
    "collapses.",
    "healthy": "Adam with β₁ = 0.5, rate 10⁻³ for both players: the plain conditional GAN works.",
}
TRIALS = "Validation points, two seeds a weight, runs as long as the final ones."
READING = """Fragile regime, test points, at the weight that was chosen for the method. *Per pair*:
the ratio of distances for each pair as the papers write it, in place of the ratio of means over a
condition (MS-GAN: over the batch). *Through tanh*: DivBal-GAN with the gradient of the tanh, as
written. *Without*: that term of `calibrated` at weight 0; the score alone has no critic."""
