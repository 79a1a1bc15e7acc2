"""What is committed of the studies: pages follow from records, numbers elsewhere from pages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caloforge.data.samples import sample_path
from caloforge.io.files import sha256_of
from caloforge.simulator.shipped import shipped_simulators
from validation import calogan, cost, data, gpu, points, proton, rival, transport, zn
from validation.points.page import STATEMENTS, finals, of_plan
from validation.points.plan import METHODS, plan
from validation.points.sample import checksum, sample_of
from validation.runner import read_records, read_references
from validation.shipped.page import page as shipped_page
from validation.shipped.plan import TRAININGS
from validation.training_runs import is_of

ROOT = Path(__file__).parents[2]
PAGES: dict[str, Any] = {
    "calogan": calogan.page,
    "cost": cost.page,
    "data": data.page,
    "gpu": gpu.page,
    "points": points.page,
    "proton": proton.page,
    "proton/script": proton.script_grid,
    "rival": rival.page,
    "transport": transport.page,
    "zn": zn.page,
}
COMMITTED = [name for name in PAGES if (ROOT / "validation" / name / "runs").is_dir()]
EARLIER = ("calogan", "proton", "zn")


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_page_is_that_of_its_records(name: str) -> None:
    folder = ROOT / "validation" / name
    assert (folder / "README.md").read_text(encoding="utf-8") == PAGES[name].page(folder)


@pytest.mark.parametrize(
    "name", [name for name in COMMITTED if name in (*EARLIER, "proton/script")]
)
def test_committed_records_are_of_the_shipped_showers(name: str) -> None:
    for record in read_records(ROOT / "validation" / name).values():
        detector = record["recipe"]["detector"]
        assert record["data"]["sha256"] == sha256_of(sample_path(detector))
        assert record["format"] == "caloforge-validation-run"
        assert not str(record["commit"]).endswith("-dirty")


@pytest.mark.parametrize("name", EARLIER)
def test_earlier_records_stay_beside_the_page_that_they_made(name: str) -> None:
    folder = ROOT / "validation" / name / "records-2026-11"
    records = read_records(folder)
    assert len(records) >= 30
    assert {one["version"] for one in records.values()} == {1}
    assert "superseded" in (folder / "README.md").read_text(encoding="utf-8").splitlines()[2]


@pytest.fixture(scope="module")
def on_points() -> tuple[dict[str, Any], dict[str, Any]]:
    folder = ROOT / "validation" / "points"
    return read_records(folder), read_references(folder)


def test_committed_points_are_those_of_the_plan(on_points: Any) -> None:
    records, _ = on_points
    runs = {run.name: run for run in plan(False, 0, records)}
    assert records.keys() <= runs.keys()
    assert [name for name, one in records.items() if not is_of(one, runs[name].recipe())] == []


def test_committed_draws_are_ours(on_points: Any) -> None:
    sums = {name: checksum(sample_of(name)) for name in ("train", "validation", "test", "large")}
    for record in on_points[0].values():
        assert record["data"].items() <= sums.items(), record["label"]


def means(records: Any, regime: str, method: str, draw: str = "test") -> dict[str, float]:
    actual = finals(of_plan(records), regime)
    runs = [one["figures"][draw] for one in actual if one["method"] == method]
    assert len(runs) >= 5
    return {name: float(np.mean([one[name] for one in runs])) for name in runs[0]}


@pytest.mark.parametrize("one", STATEMENTS[:10], ids=lambda one: one.text)
def test_a_statement_on_points_is_met(one: Any, on_points: Any) -> None:
    actual = means(on_points[0], "fragile", one.method, one.draw)[one.figure]
    assert one.low <= actual <= one.high


@pytest.mark.parametrize("bit", [0, 1])
def test_results_page_tells_how_far_all_are_from_the_floor(bit: int, on_points: Any) -> None:
    records, floors = on_points
    page = " ".join((ROOT / "docs" / "results.md").read_text("utf-8").split())
    sentence = page.partition("at 1000 points per cluster W1 ")[2].partition(" ## ")[0]
    statement = re.search(
        rf"at spread {bit},? ([\d.]+) to ([\d.]+) times.*?\(with `dcgan` up to ([\d.]+)\)", sentence
    )
    assert statement
    least = floors["test"][f"w1_{bit}"]
    ratios = {
        (regime, method): means(records, regime, method)[f"w1_{bit}"] / least
        for regime in ("fragile", "healthy")
        for method in METHODS
    }
    others = [ratio for (_, method), ratio in ratios.items() if method != "dcgan"]
    actual = (min(others), max(others), max(ratios.values()))
    assert statement.groups() == tuple(f"{value:.1f}" for value in actual)


SECTIONS = re.split(r"^## ", (ROOT / "docs" / "results.md").read_text("utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("section", SECTIONS[1:], ids=lambda text: text.partition("\n")[0])
def test_results_stand_on_the_pages_that_they_link(section: str) -> None:
    """Every number with an error in a section of docs/results.md is on a page that it links."""
    links = re.findall(r"(?:validation|benchmarks)/[\w/.-]+\.md", section)
    pages = "".join((ROOT / link).read_text(encoding="utf-8") for link in links)
    plain = pages.replace("+-", "±")
    numbers = re.findall(r"-?[\d ]*\d(?:\.\d+)? ± [\d ]*\d(?:\.\d+)?", section)
    assert links
    assert [one for one in numbers if one.replace(" ", "") not in plain.replace(" ", "")] == []


def test_shipped_judgements_are_json() -> None:
    for path in (ROOT / "validation" / "shipped").glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))


def test_the_page_of_the_shipped_simulators_is_that_of_their_cards() -> None:
    assert (ROOT / "validation" / "shipped" / "README.md").read_text("utf-8") == shipped_page()
    assert set(shipped_simulators()) <= set(TRAININGS)
