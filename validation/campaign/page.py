"""Parts that pages of campaigns share: tables, where the numbers come from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from caloforge.io.files import write_aside
from validation.campaign.record import Records

Record = Mapping[str, Any]
PAGE = "README.md"


def write_page(out: Path, text: str) -> None:
    """README.md of a folder, whole or not at all."""
    with write_aside(out / PAGE, overwrite=True) as part:
        part.write_text(text, encoding="utf-8")


def state(records: Records, planned: Mapping[str, int], quick_seconds: float, command: str) -> str:
    """How far a campaign is, and how it goes on; ``planned`` numbers of runs by part."""
    if {one["budget_cpu_seconds"] for one in records.values()} == {quick_seconds}:
        return f"**A quick look**: {quick_seconds:g} CPU seconds a run, nothing tried, one seed."
    left = {part: number - len(of_part(records, part)) for part, number in planned.items()}
    if not any(runs > 0 for runs in left.values()):
        return "All runs are there."
    shown = ", ".join(f"{runs} x {what}" for what, runs in left.items() if runs > 0)
    return (
        f"**The campaign is not finished**: {len(records)} runs are there; missing: {shown}. Rows "
        f"of fewer seeds say so. It goes on by `{command}`."
    )


def provenance(records: Records) -> str:
    """Where the numbers come from."""
    if not records:
        return ""
    told = {
        name: ", ".join(sorted({str(one[name]) for one in records.values()}))
        for name in ("commit", "torch", "processor")
    }
    data = sorted({f"{one['data']['name']} {one['data']['sha256']}" for one in records.values()})
    once = {run_of(one): one["cpu_seconds"] or 0 for one in records.values()}
    minutes, twice = sum(once.values()) / 60, len(records) - len(once)
    shared = f" ({twice} of them in two tables)" if twice else ""
    return (
        f"## Provenance\n\n{len(once)} runs{shared}, {minutes:.0f} CPU-minutes; commit "
        f"{told['commit']}; torch {told['torch']}; {told['processor']}, one thread, shared with "
        "other work; showers: "
        f"{', '.join(data)}. One JSON record a run in `runs/`: recipe, seed, steps, CPU seconds, "
        "validation score, judgement. This page is rendered from them, and a test renders it again."
    )


def run_of(record: Record) -> str:
    """What a run is known by: records of one recipe and data are one run in two tables."""
    return json.dumps([record["recipe"], record["data"]], sort_keys=True)


def of_part(records: Records, part: str) -> list[Record]:
    """Records of one part of the campaign."""
    return [one for one in records.values() if one["part"] == part]


def section(title: str, text: str, table: str = "") -> str:
    """A section with a title, words and a table."""
    return "\n\n".join(part for part in (f"## {title}", text, table) if part)


def table(names: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table with its head."""
    return "\n".join(map(row, (names, ["---"] * len(names), *rows)))


def row(cells: Iterable[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"
