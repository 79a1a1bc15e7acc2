"""What is committed of the 2-D benchmark: the page follows from the records, the claims hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from validation.campaign.record import read_records
from validation.points import bars, campaign, measure, plan, report, run

COMMITTED = Path(__file__).parents[2] / "validation" / "points"


@pytest.fixture(scope="module")
def committed() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    records = read_records(COMMITTED)
    return records, json.loads((COMMITTED / "floors.json").read_text())


def test_committed_page_is_what_the_records_say(committed: Any) -> None:
    assert (COMMITTED / "README.md").read_text() == report.render(*committed)


def planned(records: Any, floors: Any) -> list[plan.Task]:
    """What a full run asks for, at the weights that the committed trials choose."""
    weights, tasks = campaign.usual_weights(), []
    for regime in campaign.REGIMES:
        tried = [one for one in records if (one["part"], one["regime"]) == ("trial", regime)]
        weights |= campaign.choose(tried, floors["validation"])
        tasks += plan.trials(plan.FULL, 0, regime) + plan.finals(plan.FULL, 0, regime, weights)
    return tasks + plan.readings(plan.FULL, 0, weights)


def test_committed_records_are_those_of_the_plan(committed: Any) -> None:
    tasks = planned(*committed)
    assert {path.stem for path in (COMMITTED / "runs").iterdir()} == {task.name for task in tasks}
    found = [run.recorded(task, COMMITTED / "runs") for task in tasks]
    assert [task.name for task, one in zip(tasks, found, strict=True) if one is None] == []


def test_committed_draws_are_ours(committed: Any) -> None:
    from validation.points.sample import checksum

    sums = {name: checksum(run.drawn(name)) for name in run.DRAWS}
    for record in committed[0]:
        assert record["data"].items() <= sums.items(), record["label"]


def means(records: Any, regime: str, method: str, draw: str = "test") -> dict[str, float]:
    runs = [
        one["figures"][draw] for one in report.finals(records, regime) if one["method"] == method
    ]
    assert len(runs) >= 5
    return {name: float(np.mean([one[name] for one in runs])) for name in measure.NAMES}


@pytest.mark.parametrize("bar", bars.BARS, ids=lambda bar: bar.statement)
def test_bar_is_met(bar: bars.Bar, committed: Any) -> None:
    found = means(committed[0], bar.regime, bar.method, bar.draw)[bar.figure]
    assert bar.low <= found <= bar.high


def test_calibrated_is_no_worse_than_the_baseline_where_that_works(committed: Any) -> None:
    ours, baseline = (means(committed[0], "healthy", name) for name in ("calibrated", "dcgan"))
    for bit, true in ((0, 1), (1, 100)):
        name = f"variance_{bit}"
        assert abs(ours[name] - true) <= abs(baseline[name] - true)


def over_the_floor(committed: Any, bit: int, left_out: set[str]) -> list[float]:
    """W1 over its floor, mean over seeds of each method in each regime; 1000 points per cluster."""
    records, floors = committed
    return [
        means(records, regime, method)[f"w1_{bit}"] / floors["test"][f"w1_{bit}"]
        for regime in campaign.REGIMES
        for method in plan.METHODS
        if method not in left_out
    ]


@pytest.mark.parametrize("bit", [0, 1])
def test_methods_page_tells_how_far_all_are_from_the_floor(bit: int, committed: Any) -> None:
    page = " ".join((COMMITTED.parents[1] / "docs" / "methods.md").read_text("utf-8").split())
    sentence = page.partition("at 1000 points per cluster W1 ")[2].partition(" ## ")[0]
    told = re.search(
        rf"at spread {bit},? ([\d.]+) to ([\d.]+) times.*?\(with `dcgan` up to ([\d.]+)\)", sentence
    )
    assert told
    others, everyone = (over_the_floor(committed, bit, out) for out in ({"dcgan"}, set()))
    found = (min(others), max(others), max(everyone))
    assert told.groups() == tuple(f"{value:.1f}" for value in found)
    assert min(everyone) == min(others)
