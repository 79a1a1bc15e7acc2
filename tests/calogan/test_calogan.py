"""The campaign of the layered calorimeter: its plan, what it records, its page."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caloforge.data.samples import sample_path
from caloforge.data.showers import Showers, read, write
from caloforge.evaluate.inputs import EvaluationInputs, load
from caloforge.evaluate.resampling import Measured
from caloforge.io.files import sha256_of
from caloforge.recipe import Recipe
from caloforge.recipes import recipe_of_name
from caloforge.report import layered_sections
from caloforge.search.trial import finish
from validation.calogan import judging, pictures, plan, report, summary, tables
from validation.campaign.group import Group, groups
from validation.campaign.record import by_name

COMMITTED = Path(__file__).parents[2] / "validation" / "calogan"
RESULTS = Path(__file__).parents[2] / "docs" / "results.md"


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


def test_parts_are_chosen_by_name(study: Callable[..., tuple[int, str, str]]) -> None:
    labels = {t.label for t in tasks(ablate=("blur",)) if t.part == "ablation"}
    assert labels == {"whole", "no blur", "head both", "head frozen"}
    code, _, told = study("calogan", "--ablate", "blur,colour")
    assert code == 2
    assert told == (
        "validation: --ablate: no part colour; there are blur, attention, minibatch, softsparsity\n"
    )
    code, _, told = study("zn", "--ablate", "blur")
    assert (code, told) == (2, "validation: --ablate: zn leaves no parts out\n")


@pytest.fixture(scope="module")
def showers() -> Showers:
    return read(sample_path(plan.DETECTOR)).rows(np.arange(650))


@pytest.fixture(scope="module")
def record(showers: Showers) -> dict[str, Any]:
    """What is recorded of real showers of other particles in the place of generated ones."""
    pytest.importorskip("torch")
    real, train = showers.rows(np.arange(150)), showers.rows(np.arange(150, 450))
    made = dataclasses.replace(real, cells=showers.cells[500:650], overflow=None)
    told = judging.judged(EvaluationInputs(real, made, train, {}))
    other = train.rows(np.arange(150))
    references = judging.observables(real, other) | {"bands": judging.real_bands(real, other)}
    return json.loads(json.dumps(told | {"references": references}))


def test_a_record_holds_every_check(record: dict[str, Any]) -> None:
    assert len(record["separation"]) == len(record["w1"]) == 20
    for prefix, number in (("band_mean_", 6), ("r2_ratio_", 5), ("slope_", 6), ("share_", 4)):
        assert sum(name.startswith(prefix) for name in record["test"]) == number, prefix
    assert record["test"].keys() == record["floor"].keys() == record["titles"].keys()
    assert record["floor"]["overflow"]["value"] == pytest.approx(0.0016, abs=0.0005)
    bands = {name for name in record["test"] if name.startswith("band_")}
    assert record["references"]["bands"].keys() == bands


def test_showers_of_shuffled_particles_are_seen_by_what_knows_particles(
    record: dict[str, Any],
) -> None:
    """They are real: shapes of the sample agree, nothing that asks for the attributes does."""
    found, floor = record["mean_separation"], record["references"]["mean_separation"]
    assert abs(found["value"] - floor["value"]) < 3 * np.hypot(found["error"], floor["error"])
    assert found["value"] < 0.05
    for name in ("E", "theta", "y0"):
        assert record["floor"][f"r2_{name}"]["value"] > 0.5
        assert record["test"][f"r2_ratio_{name}"]["value"] < 0
        assert abs(record["test"][f"slope_{name}"]["value"]) < abs(
            record["floor"][f"slope_{name}"]["value"] / 2
        )
    # Their energies are those of other particles of the band and of all others: far too wide.
    assert record["test"]["band_resolution_0"]["value"] > 10
    assert record["references"]["bands"]["band_resolution_0"]["value"] < 10


def test_what_a_particle_does_to_both_sides_is_no_error(showers: Showers) -> None:
    real = showers.rows(np.arange(300))
    total = real.cells.sum(axis=1, dtype=np.float64)
    scaled = dataclasses.replace(real, cells=real.cells * np.float32(1.1))
    found = judging.observables(real, scaled)
    assert found["w1"]["E_tot"]["value"] == pytest.approx(0.1 * total.mean(), rel=1e-4)
    paired = 0.1 * total.std() / np.sqrt(300)
    assert found["w1"]["E_tot"]["error"] == pytest.approx(paired, rel=0.3)
    assert found["w1"]["f_0"]["error"] < 1e-6
    means = [one["value"] for one in found["separation"].values()]
    assert found["mean_separation"]["value"] == pytest.approx(np.mean(means))
    dark = dataclasses.replace(real, cells=np.zeros_like(real.cells))
    gone = judging.observables(real, dark)
    assert gone["w1"]["sigma_0"] == {"value": None, "error": None, "note": "undefined"}
    assert gone["mean_separation"]["value"] > 0.9


def test_bands_of_the_same_showers_differ_by_nothing(showers: Showers) -> None:
    found = judging.real_bands(showers, showers.rows(np.arange(300)))
    assert len(found) == 18
    assert all(one == {"value": 1.0, "error": 0.0} for one in found.values())


@pytest.fixture(scope="module")
def few(showers: Showers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 500 showers."""
    path = tmp_path_factory.mktemp("few") / "few.h5"
    write(path, showers.rows(np.arange(500)))
    return path


def test_references_are_of_the_test_showers_and_as_many_others(few: Path) -> None:
    pytest.importorskip("torch")
    found = judging.references(few)
    assert found["showers"] == 100
    assert found["untrained"]["value"] > 0.95
    assert found["mean_separation"]["value"] < 0.1
    ratios = [found["bands"][f"band_mean_{number}"] for number in range(6)]
    assert all(abs(one["value"] - 1) < 4 * one["error"] < 1.2 for one in ratios)


@pytest.fixture(scope="module")
def campaign_folder(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a campaign with one run, hardly trained."""
    pytest.importorskip("torch")
    out = tmp_path_factory.mktemp("campaign")
    task = next(t for t in tasks() if t.label == plan.ABLATED and t.part == "final")
    recipe = task.recipe(plan.DETECTOR, 1)
    finish(recipe.to_json(), few, sha256_of(few), out / "work" / task.name)
    (out / "runs").mkdir()
    (out / "runs" / f"{task.name}.json").write_text("{}")
    return out


def test_pictures_are_drawn_and_old_ones_removed(
    campaign_folder: Path, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MOVED", ("x0",))
    monkeypatch.setattr(layered_sections, "NEIGHBOURS", 2)
    monkeypatch.setattr(report, "save", lambda _, path: path.touch())
    for name in ("conditional-calogan-old.png", "calibrated-means.png", "of-remarks.png"):
        (campaign_folder / name).touch()
    pictures.draw(campaign_folder, few)
    ends = ("means", "nearest-0", "nearest-1", "nearest-2", "x0", "x0-difference")
    names = {f"conditional-calogan-{end}.png" for end in ends}
    assert {path.name for path in campaign_folder.glob("*.*")} == {*names, "of-remarks.png"}
    assert names <= pictures.PICTURES.keys()
    (campaign_folder / "runs" / f"final-{plan.ABLATED}-seed0.json").unlink()
    pictures.tidy(campaign_folder)
    assert [path.name for path in campaign_folder.glob("*.png")] == ["of-remarks.png"]


def test_means_show_both_samples_of_both_kinds(campaign_folder: Path, few: Path) -> None:
    run = campaign_folder / "work" / f"final-{plan.ABLATED}-seed0"
    case = load(str(run), few, seed=0)
    drawn = pictures.means(case)
    titles = [axes.get_title() for axes in drawn.axes if axes.get_title()]
    assert titles == [
        f"{kind}, {who}" for kind in ("varied", "centred") for who in ("real", "generated")
    ]
    real = case.real.detector.split(case.real.cells)["layer_1"].mean(axis=0)
    np.testing.assert_allclose(drawn.axes[4].images[0].get_array(), real.T, rtol=1e-5)


def runs_of(record: dict[str, Any], label: str, part: str = "final") -> dict[str, Any]:
    """Two runs of one label, as the campaign records them."""
    return {
        f"{part}-{label}-seed{seed}": record
        | {
            "part": part, "label": label, "method": label, "rate": None, "weight": None,
            "seed": seed, "steps": 10, "cpu_seconds": 1.0, "commit": "c", "torch": "t",
            "processor": "p", "recipe": [label, seed],
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
    records |= runs_of(record, "whole", "ablation")
    references = record["references"] | {"untrained": {"value": 1.0, "error": 0.0}}
    page = report.render(records, references, ("calibrated-means.png",), "## Why\n\nSo.")
    places = [
        page.index(f"\n## {title}\n")
        for title in ("Recipes", "Targets", "Why", "The classifier", "Attributes", "Slopes")
    ]
    assert places == sorted(places)
    assert "| aim: classifier AUC, 95 % bound below 0.95 |" in page
    assert "| `no blur` | 0." in page.split(report.words.DIFFERENCES)[1]
    assert "1 x calibrated, 3 x conditional-calogan, 1 x calogan, 1 x whole, 1 x no blur" in page
    assert "| `no blur` |" in page
    assert "](calibrated-means.png)" in page
    assert " nan" not in page
    for line in page.splitlines():
        if line.startswith("|"):
            assert line.count("|") > 2
    assert "3 x calibrated" in report.render({}, references)
    stale = {name: one | {"budget_cpu_seconds": 1.0} for name, one in records.items()}
    again = report.state(stale)
    assert "8 of them had another budget" in again
    assert "3 x calibrated, 3 x conditional-calogan, 3 x calogan" in again
    older = {name: value for name, value in references.items() if name != "bands"}
    assert "| real against real |" in report.render(records, older)


def test_a_quick_look_says_so(record: dict[str, Any]) -> None:
    one = runs_of(record, "calibrated")["final-calibrated-seed0"]
    quick = {"final-calibrated-seed0": one | {"budget_cpu_seconds": plan.QUICK.final}}
    assert report.state(quick).startswith(f"**A quick look**: {plan.QUICK.final:g} CPU seconds")
    assert "not finished" in report.state(quick | runs_of(record, "calibrated"))


def test_remarks_beside_the_records_are_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "references.json").write_text("{}")
    bare = report.render_folder(tmp_path)
    (tmp_path / "remarks.md").write_text("\nBy hand.\n")
    assert report.render_folder(tmp_path) == f"{bare.rstrip()}\n\nBy hand.\n"


def test_bounds_and_extremes_are_those_of_words() -> None:
    def number(value: float) -> dict[str, float]:
        return {"value": value, "error": 0.01}

    ratios = {f"band_mean_{n}": number(v) for n, v in enumerate((1.02, 0.95, 1.01))}
    one = {"test": ratios, "seed": 0, "steps": 1, "cpu_seconds": 1.0, "separation": {}}
    group = Group("x", None, (one,))
    assert summary.farthest(group, "band_mean_").value == 0.95
    assert summary.smallest(group, "band_mean_").value == 0.95
    assert not summary.within(summary.farthest(group, "band_mean_"), 0.03)
    assert summary.farthest_of([]).value is None


def of_seeds(*values: float, error: float = 0.0) -> Group:
    runs = ({"test": {"auc_both": {"value": value, "error": error}}} for value in values)
    return Group("x", None, tuple(runs))


def test_a_bound_takes_few_seeds_for_few() -> None:
    assert summary.upper(of_seeds(0.9, error=0.02)) == pytest.approx(0.9 + 1.6449 * 0.02, rel=1e-5)
    spread = np.std([0.90, 0.92, 0.97], ddof=1) / np.sqrt(3)
    mean = np.mean([0.90, 0.92, 0.97])
    bound = summary.upper(of_seeds(0.90, 0.92, 0.97))
    assert bound == pytest.approx(mean + 2.92 * spread, rel=1e-4)
    both = np.hypot(2.92 * spread, 1.6449 * 0.02)
    bound = summary.upper(of_seeds(0.90, 0.92, 0.97, error=0.02))
    assert bound == pytest.approx(mean + both, rel=1e-4)
    assert np.isnan(summary.upper(Group("x", None, ({"failed": "so"},))))


def separated(label: str, *means: float, error: float) -> Group:
    runs = (
        {
            "test": {"r2_ratio_E": {"value": 0.5, "error": 0.0}},
            "separation": {},
            "mean_separation": {"value": mean, "error": error},
        }
        for mean in means
    )
    return Group(label, None, tuple(runs))


def test_a_part_is_worth_what_the_whole_has_less() -> None:
    whole = separated("whole", 0.1, 0.2, error=0.03)
    less = separated("no blur", 0.4, 0.4, error=0.04)
    lines = tables.differences([whole, less], whole).splitlines()
    # Half the difference of two values is the error of their mean: 0.05, with 0.03 and 0.04.
    error = np.sqrt(0.05**2 + 0.03**2 + 0.04**2)
    assert lines[2].startswith("| `whole` | 0.150 ± 0.058 |  |  |")
    assert lines[3].startswith(f"| `no blur` | 0.400 ± 0.040 | 0.250 ± {error:.3f} | 3.5 |")
    old = {"separation": {"a": {"value": None, "error": None}, "b": {"value": 0.5, "error": 0.2}}}
    assert summary.separation_of(old) == Measured(0.75, 0.1)


def test_the_aim_has_a_row_of_its_own(record: dict[str, Any]) -> None:
    seen = {"test": record["test"] | {"auc_both": {"value": 0.96, "error": 0.001}}}
    found = summary.targets(Group("x", None, (seen,)), None, Measured(1.0, 0.0))
    kept = {one.demand: one.kept for one in found if "95 % bound" in one.demand}
    assert kept == {
        "classifier AUC, 95 % bound below 0.98": True,
        "aim: classifier AUC, 95 % bound below 0.95": False,
    }


@pytest.mark.parametrize(
    ("name", "epochs", "showers"), [("calogan", 50, 1e5), ("conditional-calogan", 150, 5e5)]
)
def test_the_documentation_trains_as_long_as_the_papers(
    name: str, epochs: int, showers: float
) -> None:
    page = (COMMITTED.parents[1] / "docs" / "layered.md").read_text(encoding="utf-8")
    (steps,) = re.findall(
        rf"^caloforge train {name}-published .*training.steps=(\d+)$", page, re.MULTILINE
    )
    rows = recipe_of_name(f"{name}-published").data.particles
    assert int(steps) == pytest.approx(epochs * showers / rows, rel=0.01)


@pytest.mark.skipif(not (COMMITTED / "references.json").is_file(), reason="no records yet")
def test_the_committed_page_is_that_of_its_records() -> None:
    page = (COMMITTED / "README.md").read_text(encoding="utf-8")
    assert page == report.render_folder(COMMITTED)


def test_results_say_what_the_records_say() -> None:
    """The headline of the layered calorimeter, from the committed runs."""
    records = [one for one in by_name(COMMITTED).values() if one["part"] == "final"]
    found = {one.label: one for one in groups(records)}
    ours, rival = found["calibrated"], found["conditional-calogan"]
    page = " ".join(RESULTS.read_text(encoding="utf-8").split())
    told = [str(one.measured("auc_both")) for one in (ours, rival)]
    assert (
        f"with an AUC of {told[0]} (real from real: {ours.measured('auc_both', 'floor')};" in page
    )
    assert f"`conditional-calogan`, as long: {told[1]})" in page
    assert abs((summary.farthest(ours, "band_mean_").value or 0) - 1) <= 0.0002
    assert "energy are within 0.02 %" in page
    assert (summary.smallest(ours, "r2_ratio_").value or 0) >= 0.75
    assert "read back with at least 0.75 of the real" in page
