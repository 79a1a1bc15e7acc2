"""The public script's arithmetic against loops, what follows of it, and that it trains."""

from __future__ import annotations

import json
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from caloforge.data.derive import SpreadBounds
from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, write
from caloforge.evaluate.inputs import load
from caloforge.io.files import sha256_of
from caloforge.objectives import TERMS, Objective
from caloforge.recipe import override
from caloforge.search.trial import finish
from small_game import TINY, networks, round_of, rows
from studies.records import record_of, write_all
from validation.proton import script_grid
from validation.proton.script import (
    EPSILON,
    GRID,
    PublishedScript,
    ScriptRecipe,
    grid,
    intensity,
    misaligned,
    position_error,
    script,
    selective_diversity,
    stored_spread,
)


def numbers(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def looped_diversity(spread: list[float], moved: list[float]) -> float:
    total = 0.0
    for std in spread:
        for other, div in zip(spread, moved, strict=True):
            total += std / (div + EPSILON) * other
    return total / len(spread) ** 2


def test_diversity_is_that_of_loops_and_of_its_consequence() -> None:
    spread, moved = numbers(0, 7), numbers(1, 7)
    actual = float(selective_diversity(spread, moved))
    assert actual == pytest.approx(looped_diversity(spread.tolist(), moved.tolist()))
    aligned = float((spread / (moved + EPSILON)).mean())
    assert actual == pytest.approx(float(spread.mean()) * aligned)


def test_diversity_cannot_tell_which_condition_is_wide() -> None:
    """Its gradient by one row's distance has the mean spread as a factor; Eq. 4 has not."""
    spread, moved = torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5], requires_grad=True)
    selective_diversity(spread, moved).backward()
    assert moved.grad is not None
    assert moved.grad[0] == 0
    assert moved.grad[1] == pytest.approx(-0.5 * 0.5 / 0.5**2, rel=1e-3)


def test_intensity_is_that_of_loops() -> None:
    fake, real = numbers(2, 4, 6), 9 * numbers(3, 4, 6)
    whole = 0.0
    for row in fake.tolist():
        for cell in row:
            whole += cell
    expected = []
    for row in real.tolist():
        photons = 0.0
        for cell in row:
            photons += cell
        expected.append((whole - photons) ** 2)
    assert intensity(fake, real).tolist() == pytest.approx(expected)


def test_intensity_asks_all_fakes_the_same() -> None:
    """Perfect fakes are not its minimum, and every cell of every fake gets one gradient."""
    real = 50 * numbers(4, 32, 16)
    fake = torch.log1p(real).requires_grad_()
    value = intensity(fake, real).mean()
    value.backward()
    assert float(value.detach()) > 1e3
    assert fake.grad is not None
    assert torch.allclose(fake.grad, fake.grad[0, 0])


def test_position_error_is_that_of_loops() -> None:
    predicted, peak = numbers(5, 5, 2), numbers(6, 5, 2)
    expected = [
        ((x - a) ** 2 + (y - b) ** 2) / 2
        for (x, y), (a, b) in zip(predicted.tolist(), peak.tolist(), strict=True)
    ]
    assert position_error(predicted, peak).tolist() == pytest.approx(expected)


def test_stored_spread_is_scaled_from_lowest_to_highest() -> None:
    spreads, showers = np.array([3.0, 9.0, 5.0, 4.0]), np.array([8, 8, 8, 8])
    by_bounds = SpreadBounds.fit(spreads).normalise(spreads)
    np.testing.assert_allclose(stored_spread(spreads, showers), by_bounds)
    actual = stored_spread(np.array([3.0, 9.0, 5.0, np.nan]), np.array([8, 8, 8, 1]))
    highest = max(3 / 9, 9 / 9, 5 / 9, 0.0)
    expected = [(x / 9 - 0.0) / (highest - 0.0) for x in (3, 9, 5, 0)]
    np.testing.assert_allclose(actual, expected)


def test_fakes_have_conditions_of_other_rows_and_nothing_else_moves() -> None:
    batch = rows(particles=12, repeats=1)
    play = round_of("generator", batch, networks(), sampling="rounding")
    other = misaligned(play)
    assert not torch.equal(other.rows.conditions, batch.conditions)
    order = [
        next(i for i, conditions in enumerate(batch.conditions) if torch.equal(conditions, row))
        for row in other.rows.conditions
    ]
    assert sorted(order) == list(range(12))
    for name in ("real", "spread", "peak"):
        assert torch.equal(getattr(other.rows, name), getattr(batch, name))
    assert other.sampling == "continuous"


def nets_of(term: PublishedScript) -> dict[str, Any]:
    torch.manual_seed(0)
    helpers = (1.0 * term).helpers(TINY)
    return networks(dtype=torch.float32) | helpers


class Seeded:
    """A round and its double, so that a twin meets the same random numbers."""

    def __init__(self, player: str, nets: dict[str, Any]) -> None:
        self.batch = rows(particles=6, repeats=2, dtype=torch.float32)
        self.play = round_of(player, self.batch, nets)
        self.other = misaligned(round_of(player, self.batch, nets))


def test_generator_share_is_that_of_loops() -> None:
    term = PublishedScript(diversity=0.3, intensity=1e-4, auxiliary=0.02, regressor="light")
    nets = nets_of(term)
    seeded = Seeded("generator", nets)
    play, other, batch = seeded.play, seeded.other, seeded.batch
    conditions = other.rows.conditions
    z1, z2 = other.z1, other.z2
    fakes = [nets["generator"](z, conditions) for z in (z1, z2)]
    verdicts = [nets["critic"](fake, conditions) for fake in fakes]
    moved = []
    for row in range(12):
        features = [v.features[row].tolist() for v in verdicts]
        latents = [z[row].tolist() for z in (z1, z2)]
        away, apart = (
            sum(abs(a - b) for a, b in zip(*pair, strict=True)) / len(pair[0])
            for pair in (features, latents)
        )
        moved.append(away / apart)
    positions = nets["PublishedScript"](fakes[0])
    whole = sum(log(1 + x) for row in fakes[0].tolist() for x in row)
    expected = []
    for row in range(12):
        value = log(1 + exp(-verdicts[0].logit[row].item()))
        value += 0.3 * looped_diversity(batch.spread.tolist(), moved)
        value += 1e-4 * (whole - sum(batch.real[row].tolist())) ** 2
        gap = [(positions[row, axis] - batch.peak[row, axis]).item() for axis in (0, 1)]
        value += 0.02 * (gap[0] ** 2 + gap[1] ** 2) / 2
        expected.append(value)
    assert term.generator(play).tolist() == pytest.approx(expected, rel=1e-4)


def test_critic_and_helper_see_the_same_shuffled_fakes() -> None:
    term = PublishedScript(regressor="light")
    nets = nets_of(term)
    critic = Seeded("critic", nets)
    conditions = critic.other.rows.conditions
    fake = nets["generator"](critic.other.z1, conditions)
    logits = nets["critic"](fake, conditions).logit.tolist()
    reals = nets["critic"](critic.batch.real, critic.batch.conditions).logit.tolist()
    expected = [log(1 + exp(-a)) + log(1 + exp(b)) for a, b in zip(reals, logits, strict=True)]
    assert term.critic(critic.play).tolist() == pytest.approx(expected, rel=1e-5)
    helper = Seeded("helper", nets)
    fake = nets["generator"](helper.other.z1, helper.other.rows.conditions)
    expected = position_error(nets["PublishedScript"](fake), helper.batch.peak).tolist()
    assert term.helper(helper.play).tolist() == pytest.approx(expected)


def test_the_script_is_no_term_of_the_package() -> None:
    assert "PublishedScript" not in TERMS
    recipe = script()
    assert ScriptRecipe.from_json(recipe.to_json()) == recipe
    other_recipe = override(recipe, ["objective.PublishedScript.intensity=1e-9"])
    assert isinstance(other_recipe, ScriptRecipe)
    assert other_recipe.objective == Objective.of(PublishedScript(intensity=1e-9))


def test_the_grid_has_the_45_points_of_the_paper() -> None:
    points = list(grid())
    assert len(points) == 45
    assert len({json.dumps(weights) for weights, _ in points}) == 45
    for weights, recipe in points:
        (_, term), *_ = recipe.objective.terms
        assert {name: getattr(term, name) for name in GRID} == weights
        assert recipe.generator.kind == "profile"


def test_reference_script_has_the_rates_of_the_paper() -> None:
    recipe = script()
    assert (recipe.generator.kind, recipe.critic.kind) == ("reference", "reference")
    assert recipe.optimisers.generator.learning_rate == 1e-4
    assert recipe.optimisers.critic.learning_rate == 1e-5
    assert recipe.data.particles * recipe.data.repeats == 128


def test_no_weight_no_regressor() -> None:
    objective = 1.0 * PublishedScript(auxiliary=0, diversity=0, intensity=0)
    assert not objective.plays("helper")
    assert objective.helpers(TINY) == {}


def test_it_trains_resumes_and_is_judged(tmp_path: Path) -> None:
    data, folder = tmp_path / "zp.h5", tmp_path / "run"
    with ShowerFile(sample_path("alice_zp")) as file:
        write(data, file.rows(0, 480))
    sizes = ("training.steps=6", "training.validation_interval=3", "training.precision=float32")
    recipe = override(script(networks="light"), [*sizes, "data.particles=8"])
    first = finish(recipe, data, sha256_of(data), folder)
    assert first["step"] == 6
    assert finish(recipe, data, sha256_of(data), folder) == first
    assert step_kept(folder) == 6
    judged = load(str(folder), data)
    assert judged.generated.cells.shape == judged.real.cells.shape


def step_kept(folder: Path) -> int:
    """The step of a checkpoint that holds the regressor, which the simulator does not ship."""
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert set(state["networks"]) == {"generator", "critic", "PublishedScript"}
    names = {path.name for path in (folder / "simulator").iterdir()}
    assert names == {"generator.onnx", "simulator.json", "reference.npz"}
    return int(state["step"])


def test_the_page_of_the_grid_orders_by_validation(tmp_path: Path) -> None:
    number = {"value": 2.0, "error": 0.5}
    like: dict[str, Any] = {
        "test": dict.fromkeys(script_grid.MEASURES, number),
        "data": {"name": "zp.h5", "sha256": "0", "training_files": []},
        "hardware": {"processor": "p"},
        **dict.fromkeys(("commit", "torch", "date"), ""),
    }
    records = {}
    for place, run in enumerate(script_grid.plan(False, 0, {})):
        records[run.name] = record_of(run, like) | {"test": like["test"]}
        records[run.name]["validation_score"] = 50.0 - place
        if place == 44:
            del records[run.name]["validation_score"], records[run.name]["test"]
    conditions = {"title": "noise floor", "test": dict.fromkeys(script_grid.MEASURES, number)}
    conditions["test"]["w1_all"] = {"value": None, "error": None, "note": "-"}
    write_all(tmp_path / "out", records, {"references": {"real": conditions}})
    page = script_grid.page(tmp_path / "out")
    lines = [line for line in page.splitlines() if line.startswith("| diversity=")]
    assert len(lines) == 45
    assert [line.split(" | ")[1] for line in lines[:2]] == ["7.00", "8.00"]
    assert "failed" in lines[-1]
    assert sum("(the paper's)" in line for line in lines) == 1
    assert "All 45 runs are there" in page
    # Points 0 to 14 of the three by five by three have the least weight of diversity: 50 to 36.
    assert "| diversity | 0.01 | 43.0 ± 1.2 | 36.00 | 15 |" in page
    # Every third of the others, 48, 45, ... 9; the last one failed.
    assert "| auxiliary | 0.01 | 28.5 ± 3.4 | 9.00 | 14 |" in page
    assert "is number 25 of 45 here" in page
    (floor,) = (line for line in page.splitlines() if line.startswith("| *noise floor*"))
    assert floor == "| *noise floor* |  | - |" + " 2.00 ± 0.50 |" * 5 + "  |"
    assert len({line.count("|") for line in [*lines, floor]}) == 1


@pytest.mark.slow
def test_the_quick_grid_runs(study: Any, tmp_path: Path) -> None:
    code, _, log = study("proton-script", "--quick", "-o", tmp_path / "grid", "--workers", 1, "-q")
    assert code == 0, log
    page = (tmp_path / "grid" / "README.md").read_text()
    assert "A quick look" in page
    assert "*noise floor: real against real*" in page
