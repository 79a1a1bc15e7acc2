"""``metrics.jsonl``: one JSON document a line, and the means of the losses between two lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caloforge.documents import read_json_lines
from caloforge.io import files
from caloforge.reporter import to_json

Parts = Mapping[str, Mapping[str, float]]
"""Value of each term, by player and term."""


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Add a line."""
    files.append(path, to_json(record, indent=None) + "\n")


def read(path: str | Path) -> list[dict[str, Any]]:
    """All whole lines; a line that a killed process left unfinished, or damaged, is not one."""
    return [line for line in read_json_lines(path) if isinstance(line.get("step"), int)]


def truncate(path: Path, step: int) -> None:
    """Keep the lines up to a step: what a resumed run will write again goes."""
    records = [record for record in read(path) if record["step"] <= step]
    with files.write_aside(path, overwrite=True) as part:
        part.write_text("".join(to_json(one, indent=None) + "\n" for one in records), "utf-8")


@dataclass
class Means:
    """Running means of the parts of the losses."""

    sums: dict[str, dict[str, float]] = field(default_factory=dict)
    steps: int = 0

    def add(self, parts: Parts) -> None:
        """Take the parts of one step."""
        self.steps += 1
        for player, terms in parts.items():
            sums = self.sums.setdefault(player, {})
            for term, value in terms.items():
                sums[term] = sums.get(term, 0.0) + value

    def take(self) -> dict[str, dict[str, float]]:
        """The means since the last call, by player and term."""
        steps = max(self.steps, 1)
        means = {
            player: {term: total / steps for term, total in sums.items()}
            for player, sums in self.sums.items()
        }
        self.sums, self.steps = {}, 0
        return means
