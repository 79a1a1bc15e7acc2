"""README.md of the published networks, from the records alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.calogan.page import HEADLINES, headlines
from validation.gpu.plan import CPU_STEPS, DEVICES, GPU_STEPS, METHODS, runs
from validation.page import distinct, provenance, render, run_made, seed_rows, table, write_page
from validation.pictures import learning_curves
from validation.runner import Records, read_records
from validation.summary import Group, groups
from validation.zn.page import NAMES, TITLES

COMMAND = "bash validation/gpu/run.sh"


def write(folder: Path) -> None:
    """README.md of a folder, and the learning curves."""
    from caloforge.report.figures import save

    runs = groups(read_records(folder).values())
    if runs:
        save(learning_curves(runs), folder / "learning.png")
    write_page(folder, page(folder))


def page(folder: Path) -> str:
    """The page of a folder's records."""
    return render("gpu", facts(read_records(folder)))


def summary(folder: Path) -> str:
    """What the terminal shows."""
    values = facts(read_records(folder))
    tables_of_detectors = [one["table"] for one in values["detectors"].values() if one["table"]]
    return "\n\n".join([*tables_of_detectors, values["progress"]])


def facts(records: Records) -> dict[str, Any]:
    """All that the template fills in."""
    detectors = {one.detector: tables(records, one.detector) for one in METHODS.values()}
    return {
        "command": COMMAND,
        "progress": progress(records),
        "gpu_steps": GPU_STEPS,
        "cpu_steps": CPU_STEPS,
        "detectors": detectors,
        "drawn": bool(records),
        "devices": distinct(one["hardware"]["device"] for one in records.values()),
        "provenance": provenance(records) if records else None,
    }


def progress(records: Records) -> str:
    """Which runs are missing on each device."""
    missing = {
        device: [run.method for run in runs(device, 0) if not run_made(run, records)]
        for device in DEVICES
    }
    texts = [
        f"on {device}: {', '.join(f'`{name}`' for name in names)}"
        for device, names in missing.items()
        if names
    ]
    return f"Not trained yet {'; '.join(texts)}." if texts else "All runs are there."


def tables(records: Records, detector: str) -> Mapping[str, str]:
    """The rows of one detector, in the columns of its study."""
    own = [one for one in records.values() if one["recipe"]["detector"] == detector]
    finished: list[Group] = [one for one in groups(own) if one.whole]
    if detector == "atlas_em":
        return {"table": table(HEADLINES, headlines(finished))}
    return {"table": table(TITLES, seed_rows(finished, NAMES))}
