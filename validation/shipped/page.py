"""``python -m validation.shipped.page``: README.md, from the cards of the simulators that ship."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from caloforge.documents import read_json
from caloforge.report.card import gate_text
from caloforge.simulator.card import CARD, SimulatorCard, read_card
from caloforge.simulator.shipped import SHIPPED, shipped_simulators
from validation.metrics import Measured
from validation.page import render, table, write_page
from validation.shipped.plan import TRAININGS

COLUMNS = {
    "conditional_w1": "conditional W1",
    "w1_all": "W1, all rows",
    "spread_slope": "slope",
    "sigma_total": "σ(total)",
    "auc_boosted": "AUC boosted",
    "auc_low": "AUC cells",
    "auc_both": "AUC cells and observables",
}
TITLES = {
    "calibrated-shipped": "`calibrated`, the shipped simulator (11 CPU minutes)",
    "calibrated-demo": "`calibrated`, in the demo (77 CPU seconds)",
    "sdi-gan-demo": "`sdi-gan`, in the demo (154 CPU seconds)",
}
"""Committed results of this folder that the README of the project shows, in its order."""


def page() -> str:
    """The page, a pure function of the cards and of the earlier figures."""
    cards = {name: read_card(SHIPPED / name / CARD) for name in shipped_simulators()}
    return render(
        "shipped",
        {
            "quality": table(["", *COLUMNS.values()], rows(cards)),
            "simulators": [about(name, card) for name, card in cards.items()],
            "earlier": (Path(__file__).parent / "earlier.md").read_text(encoding="utf-8"),
        },
    )


def readme_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Committed results of a folder by their titles, in the order of ``TITLES``."""
    return {title: read_json(folder / f"{name}.json") for name, title in TITLES.items()}


def rows(cards: dict[str, SimulatorCard]) -> Iterator[list[str]]:
    """Two rows a simulator: its numbers and the floors of them."""
    for name, card in cards.items():
        measurements = () if card.quality is None else card.quality.measurements
        by_name = {one.name: one for one in measurements}
        columns = [by_name.get(column) for column in COLUMNS]
        values = [str(Measured(one.value, one.error)) if one else "" for one in columns]
        floors = [
            str(Measured(one.floor, one.floor_error)) if one and one.floor is not None else ""
            for one in columns
        ]
        yield [f"`{name}`", *values]
        yield ["*floor*", *floors]


def about(name: str, card: SimulatorCard) -> dict[str, Any]:
    """What the page says of one simulator."""
    run = card.recipe.get("run", {})
    steps, seconds = card.recipe["training"]["steps"], card.cpu_seconds or 0
    return {
        "name": name,
        "facts": (
            f"{card.quality.against if card.quality else 'not evaluated'}; {steps} steps, "
            f"{seconds:.0f} CPU seconds, generator `{card.recipe['generator']['kind']}`, commit "
            f"{str(run.get('commit'))[:7]}, torch {run.get('torch')}"
        ),
        "command": " ".join(TRAININGS[name].command(Path("FOLDER"))),
        "gate": gate_text(card.quality) if card.quality else "not asked",
        "weaknesses": card.weaknesses,
    }


if __name__ == "__main__":
    write_page(Path(__file__).parent, page())
