"""README.md of what quality costs, and its figure, from the records and timings alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caloforge.report.pictures import save
from caloforge.report.style import MODEL_COLOURS, TEXT_POINTS, figure, tidy
from caloforge.simulator.card import CARD, read_card
from caloforge.simulator.shipped import shipped_simulator
from validation.cost.plan import (
    COUNTS,
    DETECTOR,
    LARGE,
    METHOD,
    NETWORKS,
    ONE,
    STEPS,
    TIMING,
    TIMINGS,
    plan,
)  # fmt: skip
from validation.metrics import Measured
from validation.page import finals, progress, provenance, render, table, write_page
from validation.runner import Records, read_records
from validation.summary import Group, over_seeds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMMAND, PICTURE = "python -m validation cost", "cost.png"
TITLES = (
    "generator", "cond. W1", "AUC boosted", f"µs: {LARGE}", COUNTS, ONE, "showers/s to HDF5",
    "steps", "CPU s", "seeds",
)  # fmt: skip
Times = Mapping[str, Mapping[str, float]]


def write(folder: Path) -> None:
    """README.md and the figure."""
    write_page(folder, page(folder))
    runs, times = networks(read_records(folder)), timings(folder).get("microseconds", {})
    if points := [one for one in runs if one.label in times]:
        save(picture(points, times), folder / PICTURE)


def page(folder: Path) -> str:
    """The page of a folder's records."""
    records, times = read_records(folder), timings(folder)
    return render(
        "cost",
        {
            "command": COMMAND,
            "timing": TIMING,
            "method": METHOD,
            "steps": STEPS,
            "picture": PICTURE,
            "progress": progress(records, plan, COMMAND),
            "networks": rows_of(records, times),
            "times": times,
            "shipped": read_card(shipped_simulator(DETECTOR) / CARD).recipe,
            "front": ", ".join(f"`{label}`" for label in front(records, times)),
            "origin": provenance(records) if records else None,
        },
    )


def summary(folder: Path) -> str:
    """What the terminal shows: the table and how far the study is."""
    records = read_records(folder)
    return f"{rows_of(records, timings(folder))}\n\n{progress(records, plan, COMMAND)}"


def timings(folder: Path) -> dict[str, Any]:
    """What was timed; nothing before it was."""
    path = folder / TIMINGS
    record: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return record


def networks(records: Records) -> list[Group]:
    """Evaluated networks, the one that is least separated from real showers first."""
    runs = finals(records, [network.label for network in NETWORKS])
    return sorted(runs, key=lambda one: auc(one).value or 0.0)


def rows_of(records: Records, times: Mapping[str, Any]) -> str:
    """A row for each network that has a run."""
    return table(TITLES, _rows(networks(records), times))


def _rows(runs: list[Group], times: Mapping[str, Any]) -> Iterator[list[str]]:
    for one in runs:
        quality = [str(one.measured("conditional_w1")), str(auc(one))]
        microseconds = times.get("microseconds", {}).get(one.label, {})
        cost = [str(microseconds.get(what, "-")) for what in (LARGE, COUNTS, ONE)]
        written = str(times.get("showers_per_second", {}).get(one.label, "-"))
        yield [f"`{one.label}`", *quality, *cost, written, one.steps, one.cpu_seconds, one.seeds]


def auc(one: Group) -> Measured:
    """AUC of boosted trees, mean over seeds."""
    return over_seeds([run["two_sample"]["auc_boosted"]["value"] for run in one.whole])


def front(records: Records, times: Mapping[str, Any]) -> list[str]:
    """Networks than which none is both faster at batch 256 and less separated from real showers."""
    microseconds = times.get("microseconds", {})
    points = {
        one.label: (microseconds[one.label][LARGE], auc(one).value or 0.0)
        for one in networks(records)
        if one.label in microseconds
    }
    return [
        label
        for label, (time, area) in points.items()
        if not any(other[0] < time and other[1] < area for other in points.values())
    ]


def picture(runs: list[Group], times: Times) -> Figure:
    """Quality against time: conditional W1 and AUC, batch 256 (with counts) and batch 1."""
    plot = figure(9.0, 3.6)
    quality: dict[str, Callable[[Group], Measured]] = {
        "conditional W1 (photons)": lambda one: one.measured("conditional_w1"),
        "AUC of boosted trees": auc,
    }
    for axes, (title, of) in zip(plot.subplots(1, 2), quality.items(), strict=True):
        for number, one in enumerate(runs):
            time, colour = times[one.label], MODEL_COLOURS[number % len(MODEL_COLOURS)]
            for what, marker in ((time[LARGE] + time[COUNTS], "o"), (time[ONE], "s")):
                measured = of(one)
                axes.errorbar(
                    what, measured.value, measured.error, marker=marker, color=colour,
                    label=one.label if marker == "o" else None, linestyle="none",
                )  # fmt: skip
        axes.set_xlabel("microseconds a shower, one core", fontsize=TEXT_POINTS)
        axes.set_ylabel(title, fontsize=TEXT_POINTS)
        tidy(axes)
    lines = plot.axes[0].get_legend_handles_labels()
    plot.legend(*lines, loc="outside right upper", frameon=False, fontsize=TEXT_POINTS)
    return plot
