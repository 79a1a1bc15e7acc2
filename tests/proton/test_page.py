"""What the page of the proton campaign says of records: dark seeds, common particles, splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caloforge.data.samples import sample_path
from caloforge.data.showers import read
from caloforge.data.split import split_by_row
from caloforge.evaluate.resampling import Measured
from caloforge.io.files import sha256_of
from caloforge.recipe import override
from caloforge.recipes import recipe_of_name
from validation.campaign.group import groups
from validation.campaign.record import read_records, read_references, write
from validation.proton import plan, report, script_campaign, tables, words

COMMITTED = Path(__file__).parents[2] / "validation" / "proton"
RESULTS = Path(__file__).parents[2] / "docs" / "results.md"
PARTICLES = 40
Numbers = list[float | None]


def a_run(label: str, seed: int, centre: Numbers | None) -> dict[str, Any]:
    """A judged run; without numbers one that failed."""
    run: dict[str, Any] = {"label": label, "weight": None, "seed": seed, "part": "final"}
    if centre is None:
        return run
    return run | {
        "test": {}, "by_particle": [1.0] * PARTICLES, "centre_by_particle": centre,
    }  # fmt: skip


@pytest.fixture
def near(rng: np.random.Generator) -> Numbers:
    return rng.normal(5, 1, PARTICLES).tolist()


@pytest.fixture
def far(rng: np.random.Generator) -> Numbers:
    return rng.normal(20, 3, PARTICLES).tolist()


def references(shuffled: Numbers) -> dict[str, Any]:
    return {"references": {"shuffled": {"centre_by_particle": shuffled}, "empty": {}}}


def runs_of(label: str, *seeds: Numbers | None) -> dict[str, Any]:
    return {f"{label}{seed}": a_run(label, seed, numbers) for seed, numbers in enumerate(seeds)}


def verdicts(text: str) -> dict[str, list[str]]:
    """Cells of the rows of "What had to be reached", by the last word of what was to be beaten."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if "| beats" in line]
    return {("shuffled" if "shuffled" in row[0] else row[0].split()[-1]): row[1:] for row in rows}


DARK: Numbers = [None] * PARTICLES
AGAINST_PLAIN = f"`{plan.PLAIN}`"


def test_page_says_whether_the_regressor_helps(
    near: Numbers, far: Numbers, rng: np.random.Generator
) -> None:
    close: Numbers = [value and value + rng.normal(0, 0.1) for value in near]
    records = runs_of(plan.WHOLE, near, near) | runs_of(plan.PLAIN, close, close)
    found = verdicts(report.reached(records, references(far)))
    assert found["shuffled"][1:] == ["2 of 2", "40 of 40", "yes"]
    assert found[AGAINST_PLAIN][1:] == ["2 of 2 / 2 of 2", "40 of 40", "not shown"]
    worse = verdicts(report.reached(records, references(close)))
    assert worse["shuffled"][-1] == "**no**"


@pytest.mark.parametrize("third", [DARK, None], ids=["dark", "failed"])
def test_no_yes_while_a_seed_of_the_judged_method_has_no_centre(
    near: Numbers, far: Numbers, third: Numbers | None
) -> None:
    records = runs_of(plan.WHOLE, near, near, third) | runs_of(plan.PLAIN, far, far)
    found = verdicts(report.reached(records, references(far)))
    assert found["shuffled"][1:] == ["2 of 3", "40 of 40", "2 of 3 seeds"]
    assert found[AGAINST_PLAIN][1:] == ["2 of 3 / 2 of 2", "40 of 40", "2 of 3 seeds"]


def test_dark_seeds_of_the_other_method_are_told(near: Numbers, far: Numbers) -> None:
    judged = runs_of(plan.WHOLE, near, near)
    some = verdicts(report.reached(judged | runs_of(plan.PLAIN, far, DARK), references(far)))
    assert some[AGAINST_PLAIN][1:] == ["2 of 2 / 1 of 2", "40 of 40", "yes"]
    none = verdicts(report.reached(judged | runs_of(plan.PLAIN, DARK), references(far)))
    told = "no run of proton-gan has it (dark or failed)"
    assert none[AGAINST_PLAIN] == [told, "2 of 2 / 0 of 1", "0 of 40", "not shown"]


def test_a_method_that_is_dark_in_every_run_still_has_its_rows(far: Numbers) -> None:
    records = runs_of(plan.WHOLE, DARK, DARK) | runs_of(plan.PLAIN, far)
    found = verdicts(report.reached(records, references(far)))
    told = f"no run of {plan.WHOLE} has it (dark or failed)"
    assert found["shuffled"] == [told, "0 of 2", "0 of 40", "**no**"]
    assert found[AGAINST_PLAIN][-1] == "not shown"
    assert verdicts(report.reached(runs_of(plan.PLAIN, far), references(far))) == {}


def test_no_yes_by_the_few_particles_that_are_lit(near: Numbers, far: Numbers) -> None:
    few: Numbers = [*near[:19], *[None] * 21]
    found = verdicts(report.reached(runs_of(plan.WHOLE, few), references(far)))
    assert found["shuffled"][1:] == ["1 of 1", "19 of 40", "19 of 40 particles"]
    half: Numbers = [*near[:20], *[None] * 20]
    found = verdicts(report.reached(runs_of(plan.WHOLE, half), references(far)))
    assert found["shuffled"][1:] == ["1 of 1", "20 of 40", "yes"]


def test_a_difference_is_one_of_the_same_particles(near: Numbers, far: Numbers) -> None:
    """Leaving out the hard particles makes no method better."""
    ladder: Numbers = [float(x) for x in range(PARTICLES)]
    easy: Numbers = [*ladder[:30], *[None] * 10]
    other: Numbers = [None, *[x + 2 for x in range(1, PARTICLES)]]
    records = runs_of(plan.WHOLE, easy, easy) | runs_of(plan.PLAIN, other, ladder)
    found = {
        (one.title, one.second.label): one
        for one in tables.differences(groups(records.values()), references(ladder))
    }
    against = found[tables.CENTRE, "shuffled"]
    assert (against.common, against.particles) == (30, PARTICLES)
    assert against.contrast is not None
    assert (against.contrast.measured.value, against.contrast.measured.error) == (0, 0)
    plain = found[tables.CENTRE, plan.PLAIN]
    assert plain.common == 29
    assert plain.contrast is not None
    # One seed is 2 farther off at each of the 29 particles, the other as good as the first.
    assert plain.contrast.particles.value == pytest.approx(1)
    assert plain.contrast.particles.error == pytest.approx(0, abs=1e-9)
    assert plain.contrast.measured.error == pytest.approx(1)
    assert found["conditional W1", plan.PLAIN].common == PARTICLES
    left, right = np.array([[1, np.nan]]), np.array([[np.nan, 1]])
    nothing = tables.difference("x", tables.Side("a", left), tables.Side("b", right))
    assert nothing.row[1:4] == ["a", "b", "no particle has it on both sides"]


def test_the_table_of_differences_says_what_each_stands_on(near: Numbers, far: Numbers) -> None:
    records = runs_of(plan.WHOLE, near, DARK) | runs_of(plan.PLAIN, DARK, None)
    rows = [
        line.strip("| ").split(" | ")
        for line in report.pairs_section(records, references(far)).splitlines()
        if line.startswith(f"| {tables.CENTRE} | {plan.WHOLE}")
    ]
    assert [row[2] for row in rows] == ["shuffled", plan.PLAIN]
    assert rows[0][-2:] == ["1 of 2", "40 of 40"]
    assert rows[1][3] == "no run of proton-gan has it (dark or failed)"
    assert rows[1][-2:] == ["1 of 2 / 0 of 2", "0 of 40"]


def test_runs_of_which_no_shower_passes_are_told() -> None:
    def published(w1: list[float] | None) -> dict[str, Any]:
        return {"o2": {str(cut): {"w1": w1} for cut in tables.CUTS}}

    row = tables.protocol_row("x", [published([2.0, 4.0]), published(None)], "o2", "")
    assert row[1:3] == ["3 (1 of 2)", "1.0"]


def test_rows_by_row_are_what_the_page_says_they_are() -> None:
    showers = read(sample_path(plan.DETECTOR))
    data = override(recipe_of_name(plan.PLAIN), [plan.TEST, plan.LEAKY]).data
    parts = (1 - data.validation - data.test, data.validation, data.test)
    split = split_by_row(len(showers), parts, seed=data.split_seed)
    names, number = np.unique(showers.particle[split.test], return_counts=True)
    said = " ".join(words.BEYOND.split())
    assert f"{len(split.test)} rows of {len(names)} particles" in said
    assert f"{(number >= 2).sum()} of the particles have two rows or more" in said
    assert np.median(number[number >= 2] // 2) == 1
    assert f"{(number >= 4).sum()} have four or more" in said
    assert set(names) <= set(showers.particle[split.train])
    # Why the tail of the file is not the published split: it holds whole particles.
    tail = showers.particle[-len(split.test) :]
    assert not set(tail) & set(showers.particle[: -len(split.test)])


def test_the_grid_is_told_with_its_own_command_and_budget() -> None:
    said = " ".join(words.GRID.split())
    assert "`python -m validation proton-script`, one seed" in said
    budget = sum(task.cpu_seconds for task in script_campaign.CAMPAIGN.full(0, {})) / 60
    assert f"{budget:.0f} CPU-minutes" in said
    assert "not run" not in said


def page_of(folder: Path) -> str | None:
    """The page of a folder, None where nothing is there yet; records without a page are wrong."""
    page = folder / "README.md"
    if not page.is_file() and not read_records(folder):
        return None
    assert page.is_file(), f"{folder} has records and no README.md; report.write_report makes it"
    return page.read_text(encoding="utf-8")


def test_records_need_a_page(tmp_path: Path) -> None:
    assert page_of(tmp_path) is None
    (tmp_path / "runs").mkdir()
    write(tmp_path / "runs" / "a.json", a_run(plan.PLAIN, 0, None))
    with pytest.raises(AssertionError, match=r"has records and no README\.md"):
        page_of(tmp_path)


def test_committed_page_is_what_the_records_say() -> None:
    if (page := page_of(COMMITTED)) is None:
        pytest.skip("nothing is committed yet")
    assert page == report.render_folder(COMMITTED)
    sums = {one["data"]["sha256"] for one in read_records(COMMITTED)}
    assert sums == {sha256_of(sample_path(plan.DETECTOR))}


def test_results_say_what_the_records_say() -> None:
    """The headline of the proton calorimeter, from the committed runs."""
    records = [one for one in read_records(COMMITTED) if one["part"] == "final"]
    found = {one.label: one for one in groups(records)}
    floor = read_references(COMMITTED)["references"]["real"]["test"]
    page = " ".join(RESULTS.read_text(encoding="utf-8").split())
    ours, whole = found.pop(plan.OURS), found[plan.WHOLE]
    best = min(found.values(), key=lambda one: one.value("conditional_w1"))
    told, centre = ours.measured("conditional_w1"), ours.measured("centre_error")
    floors = [Measured(**floor[name]) for name in ("conditional_w1", "centre_error")]
    assert f"`calibrated` {told} (floor {floors[0]}), the best row of the paper" in page
    assert f"(`{best.label}`) {best.measured('conditional_w1')}. Mean centres" in page
    assert f"off by {centre} mm (floor {floors[1]}), by {whole.measured('centre_error')}" in page
