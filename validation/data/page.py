"""README.md of what more showers buy, from the records alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from caloforge.report.pictures import save
from caloforge.report.style import MODEL_COLOURS, TEXT_POINTS, figure, tidy
from caloforge.simulator.card import CARD, read_card
from caloforge.simulator.shipped import SHIPPED
from validation.data.plan import METHOD, PARTS, SAMPLES, label, number_of, plan
from validation.metrics import Measured
from validation.page import progress, provenance, render, table, write_page
from validation.runner import Records, read_records
from validation.summary import Group, groups, of_part, over_seeds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMMAND, PICTURE = "python -m validation data", "learning-curves.png"
TICKS = (100, 300, 1000, 3000, 10_000, 30_000)
CLASSIFIERS = ("auc_boosted", "auc_low")
TITLES = (
    "detector", "training particles", "cond. W1", "AUC boosted", "AUC cells", "steps", "CPU s",
    "seeds",
)  # fmt: skip


def write(folder: Path) -> None:
    """README.md and the figure."""
    write_page(folder, page(folder))
    if runs := by_label(read_records(folder)):
        save(picture(runs), folder / PICTURE)


def page(folder: Path) -> str:
    """The page of a folder's records."""
    records = read_records(folder)
    return render(
        "data",
        {
            "command": COMMAND,
            "method": METHOD,
            "progress": progress(records, plan, COMMAND),
            "parts": parts(records),
            "picture": PICTURE if records else None,
            "origin": provenance(records) if records else None,
        },
    )


def summary(folder: Path) -> str:
    """What the terminal shows: the table and how far the study is."""
    records = read_records(folder)
    return f"{parts(records)}\n\n{progress(records, plan, COMMAND)}"


def by_label(records: Records) -> dict[str, Group]:
    """Evaluated runs, seeds together."""
    return {one.label: one for one in groups(of_part(records, "final"))}


def parts(records: Records) -> str:
    """A row for each part of the training particles that has a run."""
    return table(TITLES, rows(by_label(records)))


def auc(group: Group, name: str, side: str = "value") -> Measured:
    """The AUC of a classifier, mean over seeds; ``side="floor"``: of two halves of real showers."""
    return over_seeds([run["two_sample"][name][side] for run in group.whole])


def rows(runs: Mapping[str, Group]) -> Iterator[list[str]]:
    """By detector, from few particles to all, then real against real."""
    for detector, sample in SAMPLES.items():
        present = [one for part in PARTS if (one := runs.get(label(detector, part))) is not None]
        for one in present:
            number = str(number_of(sample, part_of(one)))
            numbers = [
                str(one.measured("conditional_w1")),
                *(str(auc(one, c)) for c in CLASSIFIERS),
            ]
            yield [f"`{detector}`", number, *numbers, one.steps, one.cpu_seconds, one.seeds]
        if present:
            floors = (str(auc(present[-1], name, "floor")) for name in CLASSIFIERS)
            yield ["*real against real*", "", floor_of(detector), *floors, "", "", ""]


def part_of(one: Group) -> float:
    """The part of the training particles that a label names."""
    return float(one.label.rsplit(", ", 1)[1])


def floor_of(detector: str) -> str:
    """Conditional W1 of real showers, which the simulator that ships has on the same particles."""
    path = SHIPPED / detector / CARD
    quality = read_card(path).quality if path.is_file() else None
    for one in quality.measurements if quality else ():
        if one.name == "conditional_w1":
            return str(Measured(one.floor, one.floor_error))
    return "-"


def picture(runs: Mapping[str, Group]) -> Figure:
    """Conditional W1 and AUC of boosted trees against the number of training particles."""
    plot = figure(9.0, 3.6)
    panels = plot.subplots(1, 2)
    for detector, colour in zip(SAMPLES, MODEL_COLOURS, strict=False):
        sample = SAMPLES[detector]
        curve = [(part, one) for part in PARTS if (one := runs.get(label(detector, part)))]
        for axes, measured in zip(panels, (conditional_w1, boosted), strict=True):
            points = [(number_of(sample, part), measured(one)) for part, one in curve]
            points = [(number, value) for number, value in points if value.value is not None]
            if points:
                numbers, values = zip(*points, strict=True)
                axes.errorbar(
                    numbers,
                    [value.value for value in values],
                    [value.error or 0.0 for value in values],
                    marker="o", color=colour, label=detector,
                )  # fmt: skip
    for axes, title in zip(
        panels, ("conditional W1 (photons)", "AUC of boosted trees"), strict=True
    ):
        axes.set_xscale("log")
        axes.set_xticks(TICKS, [str(tick) for tick in TICKS])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("training particles", fontsize=TEXT_POINTS)
        axes.set_ylabel(title, fontsize=TEXT_POINTS)
        tidy(axes)
    lines = panels[1].get_legend_handles_labels()
    plot.legend(*lines, loc="outside right upper", frameon=False, fontsize=TEXT_POINTS)
    return plot


def conditional_w1(one: Group) -> Measured:
    """Conditional W1 of the test particles."""
    return one.measured("conditional_w1")


def boosted(one: Group) -> Measured:
    """AUC of boosted trees."""
    return auc(one, "auc_boosted")
