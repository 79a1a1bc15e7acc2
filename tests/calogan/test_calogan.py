"""The campaign of the layered calorimeter: its plan, what it records, its page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caloforge.data.samples import sample_path
from caloforge.data.showers import read
from caloforge.evaluate.case import Case
from caloforge.evaluate.measured import Measured
from caloforge.recipe import Recipe
from caloforge.validation.calogan import judging, plan, report, summary
from caloforge.validation.campaign.group import Group

COMMITTED = Path(__file__).parents[2] / "validation" / "calogan"


def tasks(**how: Any) -> list[Any]:
    return list(plan.upcoming(plan.FULL, 0, {}, **how))


def test_every_run_is_a_recipe_with_a_name_of_its_own() -> None:
    found = tasks()
    assert len({t.name for t in found}) == len(found)
    finals = [t for t in found if t.part == "final"]
    assert {(t.method, t.seed) for t in finals} == {(m, s) for m in plan.METHODS for s in range(3)}
    assert {t.cpu_seconds for t in finals} == {plan.FULL.final}
    for one in found:
        recipe = one.recipe(plan.DETECTOR, 100)
        assert Recipe.from_json(recipe.to_json()) == recipe
        assert recipe.data.test == 0.2
    assert {t.label for t in found if t.part == "ablation"} == set(report.labels())


def test_each_part_is_left_out_of_the_whole_and_nothing_else() -> None:
    recipes = {t.label: t.recipe(plan.DETECTOR, 100) for t in tasks() if t.part == "ablation"}
    whole = recipes["whole"].model_dump(mode="json")
    changed = {
        label: [
            f"{part}.{name}"
            for part, fields in recipe.model_dump(mode="json").items()
            if isinstance(fields, dict)
            for name, value in fields.items()
            if value != whole[part][name]
        ]
        for label, recipe in recipes.items()
    }
    assert changed == {
        "whole": [],
        "no blur": ["generator.blur"],
        "no attention": ["generator.attention"],
        "no minibatch": ["critic.minibatch"],
        "no softsparsity": ["critic.occupancy"],
        "head both": ["objective.AttributeRegression"],
        "head frozen": ["training.pretraining"],
    }


def test_parts_are_chosen_by_name(caloforge: Callable[..., tuple[int, str, str]]) -> None:
    labels = {t.label for t in tasks(ablate=("blur",)) if t.part == "ablation"}
    assert labels == {"whole", "no blur", "head both", "head frozen"}
    code, _, told = caloforge("validate", "calogan", "--ablate", "blur,colour")
    assert code == 2
    assert told == (
        "caloforge: --ablate: no part colour; there are blur, attention, minibatch, softsparsity\n"
    )
    code, _, told = caloforge("validate", "zn", "--ablate", "blur")
    assert (code, told) == (2, "caloforge: --ablate: zn leaves no parts out\n")


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """What is recorded of real showers in the place of generated ones."""
    pytest.importorskip("torch")
    showers = read(sample_path(plan.DETECTOR))
    real, train = showers.rows(np.arange(150)), showers.rows(np.arange(150, 450))
    made = dataclasses.replace(real, cells=showers.cells[500:650], overflow=None)
    told = judging.judged(Case(real, made, train, {}))
    return json.loads(json.dumps(told)) | {
        "references": judging.observables(real, train.rows(np.arange(150)))
    }


def test_a_record_holds_every_check(record: dict[str, Any]) -> None:
    assert len(record["separation"]) == len(record["w1"]) == 20
    for prefix, number in (("band_mean_", 6), ("r2_ratio_", 5), ("slope_", 6), ("share_", 4)):
        assert sum(name.startswith(prefix) for name in record["test"]) == number, prefix
    assert record["test"].keys() == record["floor"].keys() == record["titles"].keys()
    assert record["floor"]["overflow"]["value"] == pytest.approx(0.0016, abs=0.0005)
    floor, real = (
        np.mean([one["value"] for one in table["separation"].values()])
        for table in (record["references"], record)
    )
    assert floor < real + 0.02


def runs_of(record: dict[str, Any], label: str, part: str = "final") -> dict[str, Any]:
    """Two runs of one label, as the campaign records them."""
    return {
        f"{part}-{label}-seed{seed}": record
        | {
            "part": part, "label": label, "method": label, "rate": None, "weight": None,
            "seed": seed, "steps": 10, "cpu_seconds": 1.0, "commit": "c", "torch": "t",
            "processor": "p",
            "budget_cpu_seconds": getattr(plan.FULL, part), "data": {"name": "d", "sha256": "s"},
            "traversals": {"E": {"value": 1.0, "error": 0.1}},
        }
        for seed in range(2)
    }  # fmt: skip


def test_the_page_tells_all_tables_and_what_is_missing(record: dict[str, Any]) -> None:
    record = record | {"traversals": {}}
    moved = ("E", "theta", "phi", "x0", "y0", "polar angle squared")
    traversals = {name: {"value": 1.0, "error": 0.1} for name in moved}
    records = {
        name: one | {"traversals": traversals}
        for label, part in (("calibrated", "final"), ("calogan", "final"), ("no blur", "ablation"))
        for name, one in runs_of(record, label, part).items()
    }
    references = record["references"] | {"untrained": {"value": 1.0, "error": 0.0}}
    page = report.render(records, references, ("calibrated-means.png",))
    for title in ("Recipes", "Targets", "The classifier", "Attributes", "Slopes", "Energy"):
        assert f"\n## {title}\n" in page
    assert "1 x calibrated, 3 x conditional-calogan, 1 x calogan, 3 x whole, 1 x no blur" in page
    assert "| `no blur` |" in page
    assert "](calibrated-means.png)" in page
    assert " nan" not in page
    for line in page.splitlines():
        if line.startswith("|"):
            assert line.count("|") > 2
    assert "3 x calibrated" in report.render({}, references)
    stale = {name: one | {"budget_cpu_seconds": 1.0} for name, one in records.items()}
    again = report.state(stale)
    assert "6 of them had another budget" in again
    assert "3 x calibrated, 3 x conditional-calogan, 3 x calogan" in again


def test_bounds_and_extremes_are_those_of_words() -> None:
    def number(value: float) -> dict[str, float]:
        return {"value": value, "error": 0.01}

    ratios = {f"band_mean_{n}": number(v) for n, v in enumerate((1.02, 0.95, 1.01))}
    one = {"test": ratios, "seed": 0, "steps": 1, "cpu_seconds": 1.0, "separation": {}}
    group = Group("x", None, (one,))
    assert summary.farthest(group, "band_mean_").value == 0.95
    assert summary.smallest(group, "band_mean_").value == 0.95
    assert not summary.within(summary.farthest(group, "band_mean_"), 0.03)
    assert summary.upper(Measured(0.9, 0.02)) == pytest.approx(0.9329)


@pytest.mark.skipif(not (COMMITTED / "references.json").is_file(), reason="no records yet")
def test_the_committed_page_is_that_of_its_records() -> None:
    page = (COMMITTED / "README.md").read_text(encoding="utf-8")
    assert page == report.render_folder(COMMITTED)
