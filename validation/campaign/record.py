"""Records of runs: one JSON file each in a folder; what is there is not trained again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caloforge.errors import UsageError
from caloforge.io.files import write_aside
from caloforge.recipe import Recipe
from validation.campaign.task import LABELS

Record = dict[str, Any]
Records = Mapping[str, Mapping[str, Any]]
"""By the name of the task."""
RUNS, WORK, REFERENCES = "runs", "work", "references.json"


def by_name(out: Path) -> dict[str, Record]:
    """All records of a folder by the name of their task."""
    paths = sorted((out / RUNS).glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def read_records(out: Path) -> list[Record]:
    """All records of a folder, by name."""
    return list(by_name(out).values())


def read_references(out: Path) -> Record:
    """What the runs of a folder are held against."""
    found: Record = json.loads((out / REFERENCES).read_text(encoding="utf-8"))
    return found


def write(path: Path, record: Record) -> None:
    """A record, whole or not at all."""
    with write_aside(path, overwrite=True) as part:
        part.write_text(json.dumps(record) + "\n", encoding="utf-8")


def is_of(record: Mapping[str, Any], recipe: Recipe) -> bool:
    """True if a record is of this recipe, even if an older one wrote fewer fields."""
    try:
        return type(recipe).from_json(json.dumps(record["recipe"])) == recipe
    except UsageError:
        return False


def same_run(out: Path, header: Record, recipe: Recipe) -> Record | None:
    """A judged record of the same recipe and data under this task's label: one run, two tables."""
    for other in read_records(out):
        if "test" in other and other["data"] == header["data"] and is_of(other, recipe):
            return other | {key: header[key] for key in LABELS}
    return None
