"""A start before the game: the generator alone, for an objective of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile
from caloforge.recipe import Recipe, override, start_steps
from caloforge.recipes import recipe_of_name
from caloforge.reporter import SILENT
from caloforge.train import play_out, prepare
from caloforge.training.dataset import Dataset, divide
from caloforge.training.distributed import DistributedContext
from caloforge.training.folder import RunFolder
from caloforge.training.phases import batches_before
from caloforge.training.run import Run
from small_run import same

STEPS = 20


def recipe_of(*settings: str, name: str = "conditional-calogan") -> Recipe:
    small = [
        "data.particles=4",
        "data.validation=0.01",
        f"training.steps={STEPS}",
        "start.steps=2",
        "training.warm_up=4",
    ]
    return override(recipe_of_name(name, "atlas_em"), [*small, *settings])


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    with ShowerFile(sample_path("atlas_em")) as file:
        return divide(file, recipe_of().data)


def prepared(recipe: Recipe, dataset: Dataset, folder: Path) -> Run:
    return prepare(
        recipe, dataset, RunFolder(folder), DistributedContext(torch.device("cpu")), SILENT
    )


def play(run: Run, steps: int) -> None:
    stream = run.batches.iterate(batches_before(run.phases, run.step))
    for _ in range(steps):
        run.play(stream)


def weights(run: Run) -> dict[str, dict[str, torch.Tensor]]:
    networks = run.game.networks.items()
    return {name: {k: v.clone() for k, v in net.state_dict().items()} for name, net in networks}


def test_only_the_generator_learns_before_the_game(dataset: Dataset, tmp_path: Path) -> None:
    run = prepared(recipe_of(), dataset, tmp_path)
    before = weights(run)
    play(run, 2)
    middle = weights(run)
    assert [name for name in before if not same(before[name], middle[name])] == ["generator"]
    play(run, 1)
    after = weights(run)
    assert [name for name in before if not same(middle[name], after[name])] == list(before)


def test_the_average_forgets_the_start(dataset: Dataset, tmp_path: Path) -> None:
    run = prepared(recipe_of(), dataset, tmp_path)
    play(run, 2)
    before = run.average.network.state_dict()["trunk.0.weight"].clone()
    play(run, 1)
    now = run.game.networks["generator"].state_dict()["trunk.0.weight"]
    mixed = run.average.network.state_dict()["trunk.0.weight"]
    torch.testing.assert_close(mixed, 0.1 * before + 0.9 * now)


def test_a_start_takes_a_tenth_of_a_run_at_most() -> None:
    lengths = [(200, 4000), (200, 100), (200, 5), (0, 100)]
    recipes = [recipe_of(f"start.steps={s}", f"training.steps={t}") for s, t in lengths]
    assert [start_steps(recipe) for recipe in recipes] == [200, 10, 0, 0]
    assert start_steps(recipe_of_name("calibrated", "atlas_em")) == 0


def test_rates_rise_then_fall_in_each_phase(dataset: Dataset, tmp_path: Path) -> None:
    run = prepared(recipe_of(), dataset, tmp_path)
    rates = []
    for step in range(STEPS):
        play(run, 1)
        game = run.phases[0 if step < 2 else 1].game
        rates.append(game.optimisers["generator"].param_groups[0]["lr"])
    assert rates[:2] == pytest.approx([2e-3, 2e-3])
    assert rates[2:7] == pytest.approx([0.25e-3, 0.5e-3, 0.75e-3, 1e-3, 1e-3])
    assert rates[-1] == pytest.approx(1e-3 / 9)


@pytest.mark.parametrize("stopped", [1, 3])
def test_a_run_goes_on_bit_for_bit_from_either_phase(
    stopped: int, dataset: Dataset, tmp_path: Path
) -> None:
    straight = prepared(recipe_of("training.critic_steps=2"), dataset, tmp_path / "straight")
    play(straight, 4)
    first = prepared(recipe_of("training.critic_steps=2"), dataset, tmp_path / "stopped")
    first.begin({})
    play(first, stopped)
    first.save()
    second = prepared(recipe_of("training.critic_steps=2"), dataset, tmp_path / "stopped")
    second.resume()
    play(second, 4 - stopped)
    assert same(weights(straight), weights(second))
    assert same(straight.state()["optimisers"], second.state()["optimisers"])


def test_a_whole_run_leaves_a_simulator(dataset: Dataset, tmp_path: Path) -> None:
    recipe = recipe_of("training.steps=10")
    run = prepared(recipe, dataset, tmp_path / "run")
    run.begin({})
    play_out(run)
    assert start_steps(recipe) == 1
    assert (tmp_path / "run" / "simulator" / "generator.onnx").is_file()
    assert Recipe.from_json((tmp_path / "run" / "recipe.json").read_text()).start == recipe.start


def test_a_recipe_without_a_start_does_not_name_one() -> None:
    assert '"start"' not in recipe_of_name("calibrated", "atlas_em").to_json()
