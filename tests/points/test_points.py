"""The 2-D benchmark: its set, its figures of merit, its runs and what is committed of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from caloforge.detectors import POINTS
from caloforge.errors import UsageError
from caloforge.objectives import NonFinite, Round, Term
from caloforge.recipe import Recipe, override
from caloforge.recipes import DETECTORS_OF, RECIPES, recipe_of_name
from caloforge.reporter import SILENT
from validation.points import bars, campaign, measure, plan, report, run, together
from validation.points.sample import CLUSTERS, draw
from validation.points.together import train_together


def test_set_is_what_the_paper_says(rng: np.random.Generator) -> None:
    points = draw(4000, rng)
    assert len(points) == CLUSTERS * 4000
    for cluster in range(CLUSTERS):
        rows = points.of_particles(np.array([cluster]))
        kind, spread = divmod(cluster, 2)
        assert rows.conditions[0].tolist() == [*(float(k == kind) for k in range(9)), spread]
        centre = rows.cells.mean(axis=0)
        np.testing.assert_allclose(centre, [100 * (kind // 3 - 1), 100 * (kind % 3 - 1)], atol=0.7)
        np.testing.assert_allclose(rows.cells.std(axis=0), 10**spread, rtol=0.05)


def test_figures_by_loops(rng: np.random.Generator) -> None:
    real, fake = draw(5, rng).cells, draw(5, rng).cells
    found = measure.figures(real, fake)
    for bit in (0, 1):
        distances, variances = [], []
        for cluster in range(bit, CLUSTERS, 2):
            for axis in (0, 1):
                mine = sorted(fake[5 * cluster : 5 * cluster + 5, axis].tolist())
                other = sorted(real[5 * cluster : 5 * cluster + 5, axis].tolist())
                distances.append(sum(abs(a - b) for a, b in zip(mine, other, strict=True)) / 5)
                middle = sum(mine) / 5
                variances.append(sum((a - middle) ** 2 for a in mine) / 5)
        assert found[f"w1_{bit}"] == pytest.approx(sum(distances) / 18, rel=1e-6)
        assert found[f"variance_{bit}"] == pytest.approx(sum(variances) / 18, rel=1e-6)


def test_floor_is_that_of_the_reference(rng: np.random.Generator) -> None:
    """synthetic.md: 0.058 and 0.55 at 1000 points per cluster."""
    found = measure.floor(1000, rng)
    assert found["w1_0"] == pytest.approx(0.057, abs=0.005)
    assert found["w1_1"] == pytest.approx(0.57, abs=0.05)


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - DETECTORS_OF))
def test_every_recipe_plays_on_points(name: str, rng: np.random.Generator) -> None:
    recipe = override(recipe_of_name(name, "points"), ["training.steps=2"])
    cells = run.generate(run.train(recipe), draw(2, rng), recipe)
    assert cells.shape == (36, 2)
    assert np.isfinite(cells).all()
    assert POINTS.signed


def test_every_method_gets_the_same_trials_and_no_final_run_shares_a_seed() -> None:
    tried, last = [], plan.readings(plan.FULL, 0, campaign.usual_weights())
    for regime in campaign.REGIMES:
        runs = plan.trials(plan.FULL, 0, regime)
        per_method = Counter(t.method for t in runs)
        assert set(per_method) == set(plan.METHODS) - {"dcgan"}
        assert set(per_method.values()) == {8}
        assert len({t.steps for t in runs}) == 1
        tried += runs
        last += plan.finals(plan.FULL, 0, regime, campaign.usual_weights())
    assert not {t.seed for t in tried} & {t.seed for t in last}
    names = [t.name for t in tried + last]
    assert len(set(names)) == len(names)
    assert {t.part for t in last} == {"final", "reading"}


def test_weight_of_the_lowest_score_is_chosen() -> None:
    least = {"w1_0": 0.05, "w1_1": 0.5}

    def tried(weight: float, w1_0: float, w1_1: float) -> dict[str, Any]:
        figures = {"validation": {"w1_0": w1_0, "w1_1": w1_1}}
        return {"regime": "fragile", "method": "ms-gan", "weight": weight, "figures": figures}

    runs = [tried(1, 0.1, 1.0), tried(1, 0.1, 9.0), tried(2, 0.2, 2.0), tried(2, 0.2, 2.0)]
    assert campaign.choose(runs, least)["fragile", "ms-gan"] == 2


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """One method beside the baseline, a few steps."""
    monkeypatch.setattr(campaign, "FULL", plan.Budget(3, 1, trial_steps=2, trial_seeds=1))
    chosen = {name: plan.METHODS[name] for name in ("dcgan", "sdi-gan")}
    for module in (plan, campaign, report):
        monkeypatch.setattr(module, "METHODS", chosen)


@pytest.mark.usefixtures("tiny")
def test_campaign_goes_on_where_it_was_killed(
    tmp_path: Path, study: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, shown, _ = study("points", "--out", tmp_path, "--workers", 1, "-q")
    assert code == 0
    assert "method | weight | var 0 | var 1 | W1 0 | W1 1 | CPU s\ndcgan |" in shown
    assert "sdi-gan | 3.3 | 127.4 | 1.2 | 2.1" in shown  # the paper's
    records = sorted((tmp_path / "runs").glob("*.json"))
    assert len(records) == 2 * (4 + 2)
    written = {path: path.read_text() for path in records}
    for image in ("figure1.png", "figure3-fragile.png", "figure3-healthy.png"):
        assert (tmp_path / image).stat().st_size > 10_000
    records[0].unlink()
    trained = []
    perform = run.perform

    def counted(tasks: list[plan.Task]) -> list[dict[str, Any]]:
        trained.extend(task.name for task in tasks)
        return perform(tasks)

    monkeypatch.setattr(run, "perform", counted)
    monkeypatch.setattr(report, "write_report", lambda *given: None)  # drawn once is enough
    told = campaign.validate(tmp_path, quick=False, seed=0, workers=1, reporter=SILENT)
    assert set(told["means"]["healthy"]) == {"dcgan", "sdi-gan"}
    assert trained == [records[0].stem]
    again, first = json.loads(records[0].read_text()), json.loads(written[records[0]])
    assert again["figures"] == first["figures"]


@pytest.mark.usefixtures("tiny")
def test_page_leaves_out_records_of_another_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[list[dict[str, Any]]] = []
    monkeypatch.setattr(report, "write_report", lambda out, records, floors: shown.append(records))

    def means() -> Any:
        return campaign.validate(tmp_path, quick=False, seed=0, workers=1, reporter=SILENT)["means"]

    before = means()
    for path in (tmp_path / "runs").glob("*-final-sdi-gan-*"):
        record = json.loads(path.read_text()) | {"weight": 7.0}
        record["figures"] = {name: dict.fromkeys(measure.NAMES, 1e6) for name in record["figures"]}
        (path.parent / f"{record['regime']}-final-sdi-gan-weight7-seed0.json").write_text(
            json.dumps(record)
        )
    assert means() == before
    assert shown[0] == shown[1]


def test_record_of_another_recipe_is_not_taken(tmp_path: Path) -> None:
    task = plan.Task("trial", "fragile", "dcgan", "dcgan", 1, 0)
    other = replace(task, steps=2)
    steps = [
        run.execute([one], tmp_path)[0]["recipe"]["training"]["steps"] for one in (task, other)
    ]
    assert steps == [1, 2]


STEPS_ALIKE = 6
"""Rounding grows from step to step: after some more, only laws can be compared."""


@pytest.mark.parametrize(
    ("name", "term"),
    [(name, method.term) for name, method in plan.METHODS.items() if method.term],
)
def test_trained_together_is_trained_alone(name: str, term: str) -> None:
    """A member of a stack has its own weights, batches, latents and updates."""
    recipes = [
        override(
            recipe_of_name(name, "points"),
            [
                f"training.steps={STEPS_ALIKE}",
                f"seed={seed}",
                f"objective.{term}.weight={weight}",
            ],
        )
        for seed, weight in ((0, 0.1), (1, 0.5), (7, 0.1))
    ]
    for recipe, member in zip(recipes, train_together(recipes, run.material()), strict=True):
        alone = run.train(recipe)
        for mine, own in zip(member.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(mine, own, rtol=1e-3, atol=1e-5)


def test_page_tells_how_long_runs_trained_together_are_those_trained_alone() -> None:
    told = " ".join(report.INTRODUCTION.split())
    assert f"what its recipe gives alone for the first {STEPS_ALIKE} steps (a test)" in told


def test_only_seeds_and_weights_may_differ_in_a_stack() -> None:
    recipes = [override(recipe_of_name("dcgan", "points"), [f"training.steps={k}"]) for k in (2, 3)]
    with pytest.raises(UsageError, match="differ in seed and weights only"):
        train_together(recipes, run.material())


class Breaks(Term):
    """A term of finite value whose gradient is not, where the first latent of a row is large."""

    def generator(self, play: Round) -> torch.Tensor:
        flat = (play.fake - play.fake.detach()).abs().sum(dim=1)
        return torch.where(play.z1[:, 0] > 3, flat, flat + 1).sqrt()


class Explodes(Term):
    """A term that has no value, where the first latent of a row is large."""

    def generator(self, play: Round) -> torch.Tensor:
        return torch.where(play.z1[:, 0] > 3, torch.nan, 0 * play.fake.sum(dim=1))


@pytest.mark.parametrize(
    ("term", "told"),
    [
        (
            Breaks(),
            r"gradient of the generator of seed (\d) \(NonSaturating 1, Breaks .*\) by term",
        ),
        (Explodes(), r"term Explodes of seed (\d) \(NonSaturating 1, Explodes .*\) is nan"),
    ],
)
def test_who_diverges_among_those_trained_together_is_named(term: Term, told: str) -> None:
    def recipe(seed: int, weight: float) -> Recipe:
        base = override(recipe_of_name("dcgan", "points"), ["training.steps=300", f"seed={seed}"])
        return base.model_copy(update={"objective": base.objective + weight * term})

    recipes, guilty = [recipe(4, 0.5), recipe(5, 1.0)], {}
    for one in recipes:
        with pytest.raises(NonFinite, match=told) as alone:
            train_together([one], run.material())
        guilty[one.seed] = int(str(alone.value).rpartition(" ")[2])
    first = min(guilty, key=lambda seed: guilty[seed])
    assert len(set(guilty.values())) == 2
    with pytest.raises(NonFinite) as together:
        train_together(recipes, run.material())
    found = re.search(told, str(together.value))
    assert found is not None
    assert int(found[1]) == first
    assert str(together.value).endswith(f"training stopped in step {guilty[first]}")


def test_diverging_runs_say_what_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def diverges(*given: Any) -> Any:
        raise NonFinite("term X of seed 3 is nan")

    monkeypatch.setattr(together, "train_together", diverges)
    with pytest.raises(NonFinite, match="ms-gan, fragile trial: term X of seed 3 is nan"):
        run.execute([plan.Task("trial", "fragile", "ms-gan", "ms-gan", 1, 3)], tmp_path)


def final(method: str, regime: str, seed: int, **figures: float) -> dict[str, Any]:
    numbers = dict.fromkeys(measure.NAMES, 1.0) | figures
    return {
        "part": "final",
        "regime": regime,
        "method": method,
        "seed": seed,
        "figures": {"test": numbers, "large": numbers | {"w1_0": 0.05, "w1_1": 0.9}},
    }


def test_what_had_to_be_reached_is_told_with_the_stretch_and_the_healthy_regime() -> None:
    records = [
        *(final("calibrated", "fragile", seed, w1_0=0.5, w1_1=0.9) for seed in range(3)),
        *(final("calibrated", "healthy", k, variance_0=1.2 + k, variance_1=90) for k in (0, 1)),
        *(final("dcgan", "healthy", seed, variance_0=0.8, variance_1=80) for seed in range(2)),
    ]
    rows = [line.split(" | ") for line in report.bars_section(records).splitlines()[4:]]
    met = {row[0].removeprefix("| "): (*row[1:3], row[-1].removesuffix(" |")) for row in rows}
    assert met["`calibrated` W1 0 < 0.35"] == ("fragile", "1000", "**no**")
    assert met["`calibrated` W1 1 < 1.3"] == ("fragile", "1000", "yes")
    assert met["stretch: `calibrated` W1 0 <= 0.08"] == ("fragile", "5000", "yes")
    assert met["stretch: `calibrated` W1 1 <= 0.75"] == ("fragile", "5000", "**no**")
    healthy = "`calibrated` var {} no farther from {} than `dcgan`"
    assert met[healthy.format(0, 1)] == ("healthy", "1000", "**no**")
    assert met[healthy.format(1, 100)] == ("healthy", "1000", "yes")
    assert not any("sdi-gan" in statement for statement in met)
    assert all(len(row) == 5 for row in rows)


def test_unknown_claim_is_told(study: Callable[..., tuple[int, str, str]]) -> None:
    code, _, told = study("dots")
    assert code == 2
    assert "no claim dots; there are calogan, points" in told


@pytest.mark.slow
def test_bars_are_met_by_the_code_as_it_is(tmp_path: Path) -> None:
    """The committed records are of older code; this trains three seeds at the weights of theirs."""
    weights = {"dcgan": None, "sdi-gan": 0.01, "calibrated": 3.0}
    records = [
        record
        for name, weight in weights.items()
        for record in run.execute(
            [plan.Task("final", "fragile", name, name, 5000, k, weight) for k in range(3)], tmp_path
        )
    ]
    for bar in bars.BARS:
        found = bar.values(lambda regime: records)
        assert len(found) == 3
        assert bar.met(found), f"{bar.statement}: {found}"
