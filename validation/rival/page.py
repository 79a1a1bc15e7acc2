"""README.md of the flow-matching simulator and its pictures, from the records alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caloforge.report.card import gate_text
from caloforge.report.pictures import save
from caloforge.simulator.card import CARD, Measurement, read_card
from caloforge.simulator.shipped import SHIPPED
from caloforge.training import metrics as training_log
from validation.metrics import Measured
from validation.page import progress, provenance, render, table, write_page
from validation.pictures import learning_curves
from validation.rival.plan import BATCHES, LABEL, SHIPPED_NAME, plan
from validation.runner import Records, read_records, read_references
from validation.summary import Group, difference, of_part, reference
from validation.training_runs import FLAT, is_flat
from validation.zn.pictures import showers

Record = Mapping[str, Any]
COMMAND = "python -m validation rival"
COLUMNS = {
    "conditional_w1": "cond. W1",
    "w1_all": "W1, all rows",
    "spread_slope": "slope",
    "sigma_total": "σ(total)",
    "auc_boosted": "AUC boosted",
    "auc_low": "AUC cells",
}
CLASSIFIERS = ("auc_boosted", "auc_low")
OURS = Path(__file__).parents[1] / "shipped" / "metrics.jsonl"
"""Learning curve of the shipped simulator."""


def write(folder: Path) -> None:
    """README.md of a folder, and its pictures."""
    if finals := of_order(read_records(folder)):
        last, references = Group(LABEL, None, (finals[-1],)), read_references(folder)
        save(showers([last], references, "diverse"), folder / "showers-diverse.png")
        curves = [last, Group(SHIPPED_NAME, None, (shipped_curve(),))]
        save(learning_curves(curves), folder / "learning.png")
    write_page(folder, page(folder))


def page(folder: Path) -> str:
    """The page of a folder's records."""
    return render("rival", facts(read_records(folder), read_references(folder)))


def summary(folder: Path) -> str:
    """What the terminal shows."""
    values = facts(read_records(folder), read_references(folder))
    return f"{values['quality']}\n\n{values['progress']}"


def facts(records: Records, references: Record) -> dict[str, Any]:
    """All that the template fills in."""
    finals, timing = of_order(records), records.get("timing")
    return {
        "command": COMMAND,
        "progress": progress(records, plan, COMMAND),
        "quality": table(("", *COLUMNS.values(), "steps", "CPU s", "gate"), rows(finals)),
        "speed": "" if timing is None else speed(timing),
        "load": None if timing is None else timing["hardware"]["load"],
        "last": finals[-1] if finals else None,
        "flat": FLAT,
        "is_flat": bool(finals) and is_flat(finals[-1]),
        "ours_then": score_of_ours(finals[-1]["cpu_seconds"]) if finals else None,
        "difference": lead(finals[-1], references) if finals else None,
        "provenance": provenance({one["recipe_sha256"]: one for one in finals}) if finals else None,
    }


def of_order(records: Records) -> list[Record]:
    """Evaluated states of the training, the longest last."""
    return sorted(of_part(records, "final"), key=lambda one: float(one["cpu_seconds"]))


def rows(finals: list[Record]) -> Iterator[list[str]]:
    """The flow after each number of CPU seconds, the shipped simulator, the floor of both."""
    for one in finals:
        numbers = one["test"] | {name: one["two_sample"][name]["value"] for name in CLASSIFIERS}
        cells = [str(Measured(**numbers[name])) for name in COLUMNS]
        training = [str(one["steps"]), f"{one['cpu_seconds']:.0f}", one["gate"]["outcome"]]
        yield [LABEL, *cells, *training]
    card = read_card(SHIPPED / SHIPPED_NAME / CARD)
    quality = card.quality
    assert quality is not None, "the shipped simulator was not evaluated"
    by_name = {one.name: one for one in quality.measurements}
    columns = [by_name[name] for name in COLUMNS]
    cells = [str(Measured(one.value, one.error)) for one in columns]
    training = [str(card.recipe["training"]["steps"]), f"{card.cpu_seconds or 0:.0f}"]
    yield [f"`{SHIPPED_NAME}`", *cells, *training, gate_text(quality).partition(":")[0].lower()]
    yield ["*floor: real against real*", *map(floor, columns), "", "", ""]


def floor(measurement: Measurement) -> str:
    """What two halves of the real showers give."""
    if measurement.floor is None:
        return ""
    return str(Measured(measurement.floor, measurement.floor_error))


def lead(last: Record, references: Record) -> Measured:
    """Conditional W1 of the flow minus that of the shipped simulator, paired by particles."""
    ours = reference(SHIPPED_NAME, references["by_particle"])
    return difference(ours, reference(LABEL, last["by_particle"])).particles


def score_of_ours(cpu_seconds: float) -> float:
    """Last validation score of the shipped simulator after no more CPU seconds."""
    curve = shipped_curve()["learning_curve"]
    pairs = zip(curve["cpu_seconds"], curve["score"], strict=True)
    return max(pair for pair in pairs if pair[0] <= max(cpu_seconds, curve["cpu_seconds"][0]))[1]


def speed(timing: Record) -> str:
    """Microseconds of a shower, and their ratio in each round."""
    titles = ("showers at once", f"{LABEL}, µs", f"`{SHIPPED_NAME}`, µs", "ratio (quartiles)")
    lines = []
    for batch in BATCHES:
        one = timing["microseconds"][str(batch)]
        ratio = "{median:.0f} ({low:.0f} to {high:.0f})".format(**one["ratio"])
        lines.append([str(batch), f"{one[LABEL]:.0f}", f"{one[SHIPPED_NAME]:.1f}", ratio])
    return table(titles, lines)


def shipped_curve() -> Record:
    """Validation scores along the training of the shipped simulator."""
    lines = [one for one in training_log.read(OURS) if "score" in one]
    names = ("step", "cpu_seconds", "score")
    return {"learning_curve": {name: [one[name] for one in lines] for name in names}}
