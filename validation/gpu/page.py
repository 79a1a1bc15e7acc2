"""README.md of the published networks, from the records alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import validation.proton.page
import validation.zn.page
from validation.calogan.page import HEADLINES, floor_of, floor_rows, headlines
from validation.gpu.plan import CPU_STEPS, DEVICES, GPU_STEPS, METHODS, runs
from validation.page import (
    HERE,
    distinct,
    provenance,
    reference_rows,
    render,
    run_made,
    seed_rows,
    table,
    write_page,
)
from validation.pictures import learning_curves
from validation.runner import Record, Records, read_records, read_references
from validation.summary import groups

PAGES = {"zn": validation.zn.page, "proton": validation.proton.page}
"""Studies whose columns and references the page takes."""
COMMAND = "bash validation/gpu/run.sh"


def write(folder: Path) -> None:
    """README.md of a folder, and the learning curves."""
    from caloforge.report.pictures import save

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
    return "\n\n".join([*filter(None, values["detectors"].values()), values["progress"]])


def facts(records: Records) -> dict[str, Any]:
    """All that the template fills in."""
    studies = {one.detector: one.study for one in METHODS.values()}
    detectors = {name: rows_table(records, name, study) for name, study in studies.items()}
    return {
        "command": COMMAND,
        "progress": progress(records),
        "gpu_steps": GPU_STEPS,
        "cpu_steps": CPU_STEPS,
        "detectors": detectors,
        "best": list(best_generators(records)),
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


def rows_table(records: Records, detector: str, study: str) -> str:
    """The rows of one detector, in the columns of its study, and what they are held against."""
    own = [one for one in records.values() if one["recipe"]["detector"] == detector]
    runs = [one for one in groups(map(named_by_device, own)) if one.whole]
    references = read_references(HERE / study)
    if study not in PAGES:
        return table(HEADLINES, [*headlines(runs), *floor_rows(floor_of(runs, references))])
    of = PAGES[study]
    rows = [*seed_rows(runs, of.NAMES), *reference_rows(references, of.NAMES)]
    return table(of.TITLES, rows) if runs else ""


def best_generators(records: Records) -> Iterator[str]:
    """Of each run the step and score of the generator that is kept, and the score at the end."""
    for one in records.values():
        if "test" in one:
            kept = f"{one['validation_score']:.3g} after {one['best_step']} of {one['steps']} steps"
            last = f"{one['learning_curve']['score'][-1]:.3g} at the end"
            yield f"`{one['label']}`, {one['part']}: {kept}, {last}"


def named_by_device(record: Mapping[str, Any]) -> Record:
    """A record under a label of its own for each kind of device: they took other steps."""
    return {**record, "label": f"{record['label']}, {record['part']}"}
