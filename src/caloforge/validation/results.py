"""The table of results of the README, rendered from committed judgements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caloforge.evaluate.measured import Measured

COLUMNS = {
    "conditional_w1": "conditional W1",
    "w1": "W1",
    "spread_slope": "spread slope",
    "sigma_total": "sigma(total)",
}
"""Measures that the README shows, and their titles."""
BASELINES = ("real", "nearest", "mean_image", "shuffled")
"""Candidates beside the simulators, as judged with the first of them."""


def results_table(judgements: Mapping[str, Mapping[str, Any]]) -> str:
    """Judgement records by title, and the baselines of the first one, as a Markdown table."""
    first = next(iter(judgements.values()))
    lines = [
        ["", *(f"{title}" for title in COLUMNS.values())],
        ["---"] * (1 + len(COLUMNS)),
        *(_row(title, record["candidates"]["model"]) for title, record in judgements.items()),
        *_baselines(first["candidates"]),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _baselines(candidates: Mapping[str, Any]) -> Iterator[list[str]]:
    for name in BASELINES:
        if name in candidates:
            yield _row(candidates[name]["title"], candidates[name])


def _row(title: str, candidate: Mapping[str, Any]) -> list[str]:
    return [title, *(str(Measured(**candidate[measure])) for measure in COLUMNS)]


def read_judgements(folder: Path) -> dict[str, dict[str, Any]]:
    """Committed judgements of a folder, by file name without its ending, in order of name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }
