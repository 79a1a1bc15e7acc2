"""README.md of what more showers buy, from the records alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from validation.data.plan import METHOD, PARTS, SAMPLES, label, number_of, plan
from validation.page import progress, provenance, render, table, write_page
from validation.runner import Records, read_records
from validation.summary import Group, groups, of_part, over_seeds

COMMAND = "python -m validation data"
CLASSIFIERS = ("auc_boosted", "auc_low")
TITLES = (
    "detector", "training particles", "cond. W1", "AUC boosted", "AUC cells", "steps", "CPU s",
    "seeds",
)  # fmt: skip


def write(folder: Path) -> None:
    """README.md."""
    write_page(folder, page(folder))


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
            "origin": provenance(records) if records else None,
        },
    )


def summary(folder: Path) -> str:
    """What the terminal shows: the table and how far the study is."""
    records = read_records(folder)
    return f"{parts(records)}\n\n{progress(records, plan, COMMAND)}"


def parts(records: Records) -> str:
    """A row for each part of the training particles that has a run."""
    return table(TITLES, rows({one.label: one for one in groups(of_part(records, "final"))}))


def auc(group: Group) -> Callable[[str], str]:
    """The AUC of a classifier, mean over seeds."""
    return lambda name: str(over_seeds([run["two_sample"][name]["value"] for run in group.whole]))


def rows(by_label: dict[str, Group]) -> Iterator[list[str]]:
    """By detector, from few particles to all."""
    for detector, sample in SAMPLES.items():
        for part in PARTS:
            if (one := by_label.get(label(detector, part))) is not None:
                numbers = [str(one.measured("conditional_w1")), *map(auc(one), CLASSIFIERS)]
                training = [one.steps, one.cpu_seconds, one.seeds]
                yield [f"`{detector}`", str(number_of(sample, part)), *numbers, *training]
