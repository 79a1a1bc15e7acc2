"""Runs that start from the networks of others, and runs that go on for longer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from caloforge import Simulator
from caloforge.data.showers import ShowerFile
from caloforge.detectors import ALICE_ZN
from caloforge.detectors.files import detector_of_record, record_of
from caloforge.errors import DataError, UsageError
from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name
from caloforge.recipes.find import find_recipe
from caloforge.reporter import SILENT
from caloforge.simulator.shipped import shipped_simulators
from caloforge.train import prepare, train
from caloforge.training.dataset import divide
from caloforge.training.distributed import DistributedContext
from caloforge.training.folder import RunFolder
from caloforge.training.pretrained import Pretrained, read_pretrained
from caloforge.training.run import Run
from small_run import SETTINGS, metrics_of, same, set_options, small_recipe, state_of

Cli = Callable[..., tuple[int, str, str]]
SMALL = [setting for setting in SETTINGS if "kind" not in setting]


def prepared(recipe: Recipe, showers: Path, pretrained: Pretrained | None) -> Run:
    context = DistributedContext(torch.device("cpu"))
    with ShowerFile(showers) as file:
        dataset = divide(file, recipe.data)
        return prepare(recipe, dataset, RunFolder(Path()), context, SILENT, pretrained)


def test_a_run_hands_on_its_best_generator_and_its_critic(straight: Path, showers: Path) -> None:
    pretrained = read_pretrained(straight)
    recipe = find_recipe("dcgan", None, SMALL, 1, pretrained)
    assert (recipe.generator.kind, recipe.critic.kind, recipe.start) == ("o2", "mlp", None)
    run, state = prepared(recipe, showers, pretrained), state_of(straight)
    assert same(dict(run.game.networks["generator"].state_dict()), state["best"]["weights"])
    assert same(dict(run.average.network.state_dict()), state["best"]["weights"])
    assert same(dict(run.game.networks["critic"].state_dict()), state["networks"]["critic"])


def test_a_simulator_hands_on_its_generator(straight: Path, showers: Path, tmp_path: Path) -> None:
    """The first step begins with what the simulator computes."""
    shutil.copytree(straight / "simulator", tmp_path / "simulator")
    pretrained = read_pretrained(tmp_path / "simulator")
    assert set(pretrained.networks) == {"generator"}
    recipe = find_recipe("dcgan", None, [*SMALL, "critic.kind=mlp"], 0, pretrained)
    generator = prepared(recipe, showers, pretrained).game.networks["generator"].eval()
    simulator = Simulator.load(tmp_path / "simulator")
    reference = simulator.reference
    with torch.no_grad():
        cells = generator(
            torch.from_numpy(reference.latent), torch.from_numpy(reference.conditions)
        )
    np.testing.assert_allclose(cells.numpy(), reference.response, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", shipped_simulators())
def test_shipped_simulators_can_be_tuned(name: str) -> None:
    pretrained = read_pretrained(name)
    recipe = find_recipe("calibrated", None, [], 0, pretrained)
    assert recipe.generator == pretrained.recipe.generator
    assert name.startswith(pretrained.detector.name)


def test_tuning_by_the_command_line_and_resuming_it(
    caloforge: Cli, straight: Path, showers: Path, tmp_path: Path
) -> None:
    """An own detector of the same shapes takes them; the log says what else it means."""
    record = record_of(ALICE_ZN) | {"name": "mine", "quantum": 2.0}
    (tmp_path / "mine.json").write_text(json.dumps(record))
    mine = detector_of_record(record)
    from caloforge.data.showers import read, write

    real = read(showers)
    write(tmp_path / "mine.h5", type(real)(mine, real.cells, real.conditions, real.particle))
    command = (
        *("train", "dcgan", "--from", straight, "--detector", tmp_path / "mine.json"),
        *("--data", tmp_path / "mine.h5", "--out", tmp_path / "run", "--threads", 1),
        *set_options("training.steps=2"),
    )
    code, _, err = caloforge(*command)
    assert code == 0, err
    assert "quantum of mine: 2.0 where alice_zn has 1.0" in err
    record = json.loads((tmp_path / "run" / "simulator" / "simulator.json").read_text())["recipe"]
    assert record["run"]["pretrained"]["path"] == str(straight / "checkpoint.pt")
    code, _, err = caloforge(*command[:-1], "training.steps=4", "--resume")
    assert code == 0, err
    assert "training.steps 4 (was 2)" in err
    assert [line["step"] for line in metrics_of(tmp_path / "run")] == [2, 4]


def test_what_does_not_fit_is_one_line(
    caloforge: Cli, straight: Path, showers: Path, tmp_path: Path
) -> None:
    pretrained = read_pretrained(straight)
    recipe = override(pretrained.adapt(recipe_of_name("dcgan", "alice_zp")), SMALL)
    with pytest.raises(DataError, match=r"does not fit alice_zp: generator \S+ is \(.*\), not \("):
        list(pretrained.load_into({"generator": built(recipe)}, recipe.resolve()))
    for source, code, message in (
        ("nowhere", 2, "no simulator nowhere ships; there are: alice_zn"),
        (tmp_path, 2, "is neither a simulator nor a run"),
    ):
        exit_code, _, err = caloforge("train", "dcgan", "--from", source, "--data", showers)
        assert (exit_code, message in err, err.count("\n")) == (code, True, 1), err


def built(recipe: Recipe) -> torch.nn.Module:
    from caloforge.data.derive import FeatureScaling

    detector = recipe.resolve()
    conditions = np.random.default_rng(0).uniform(1, 2, (8, len(detector.columns)))
    return recipe.generator.build(detector, FeatureScaling.fit(detector, conditions))


def test_weights_that_were_folded_are_told(straight: Path, showers: Path, tmp_path: Path) -> None:
    """The published network has normalisations, which the graph has no more."""
    recipe = small_recipe(
        "generator.kind=reference", "critic.kind=mlp", "training.steps=1", name="dcgan"
    )
    run = train(recipe, showers, tmp_path / "run", threads=1).path
    assert set(read_pretrained(run).networks) == {"generator", "critic"}
    (run / "checkpoint.pt").unlink()
    with pytest.raises(DataError, match=r"by itself .*: give the run folder"):
        read_pretrained(run)
    # A graph that computes something else under the same names is no source either.
    other = read_pretrained(straight)
    assert set(other.networks) >= {"generator"}


@pytest.mark.parametrize("name", ["dcgan", "calibrated"])
def test_a_run_goes_on_for_longer(showers: Path, tmp_path: Path, name: str) -> None:
    short = small_recipe(name=name)
    folder = train(short, showers, tmp_path / "run", threads=1)
    longer = override(short, ["training.steps=16"])
    for _ in range(2):  # the second time it is finished already
        train(longer, showers, tmp_path / "run", resume=True, threads=1)
    assert [line["step"] for line in metrics_of(folder.path)] == [4, 8, 12, 16]
    assert folder.facts().get("earlier_steps") == [12]
    with pytest.raises(UsageError, match=r"training\.steps was 16, not 12"):
        train(short, showers, tmp_path / "run", resume=True, threads=1)
    with pytest.raises(UsageError, match="another recipe, seed was 0, not 1"):
        again = override(longer, ["training.steps=20", "seed=1"])
        train(again, showers, tmp_path / "run", resume=True, threads=1)
