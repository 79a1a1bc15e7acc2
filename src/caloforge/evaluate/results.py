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


TITLES = {
    "calibrated-shipped": "`calibrated`, the shipped simulator (15 CPU minutes)",
    "calibrated-demo": "`calibrated`, in the demo (75 CPU seconds)",
    "sdi-gan-demo": "`sdi-gan`, in the demo (75 CPU seconds)",
}
"""Committed judgements of ``validation/shipped`` that the README shows, in its order."""


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
    """Committed judgements of a folder by their titles, in the order of ``TITLES``."""
    return {
        title: json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name, title in TITLES.items()
    }
