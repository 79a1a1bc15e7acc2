"""What a run takes from its training part before the first step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, read, write
from caloforge.detectors import ATLAS_EM
from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name
from caloforge.reporter import SILENT
from caloforge.simulator.card import CARD, read_card
from caloforge.train import prepare, train
from caloforge.training.dataset import Dataset, divide
from caloforge.training.distributed import DistributedContext
from caloforge.training.folder import RunFolder
from caloforge.training.run import Run
from small_run import small_recipe, write_part_of_sample


def recipe_of(name: str, seed: int = 0) -> Recipe:
    small = ["data.particles=32", "training.precision=float32", f"seed={seed}"]
    return override(recipe_of_name(name, "atlas_em"), small)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    with ShowerFile(sample_path("atlas_em")) as file:
        return divide(file, recipe_of("calibrated").data)


def prepared(recipe: Recipe, dataset: Dataset) -> Run:
    return prepare(
        recipe, dataset, RunFolder(Path()), DistributedContext(torch.device("cpu")), SILENT
    )


@pytest.mark.parametrize("name", ["calibrated", "calogan"])
def test_no_layer_goes_dark_in_the_first_steps(name: str, dataset: Dataset) -> None:
    """Shares that begin with a third starve the last layer, which holds 0.0016, for good."""
    run = prepared(recipe_of(name), dataset)
    stream = run.batches.iterate()
    for step in range(15):
        run.game.step(stream, step)
    conditions = torch.from_numpy(dataset.first(128).conditions).float()
    with torch.no_grad():
        latent = torch.randn(len(conditions), run.game.latent_size)
        generated = run.game.networks["generator"](latent, conditions)
    lit = {layer: (x > 0).float().mean() for layer, x in ATLAS_EM.split(generated).items()}
    assert min(lit.values()) > 0.002, lit


def test_the_first_training_showers_are_training_showers(dataset: Dataset) -> None:
    some = dataset.first(64)
    assert len(some) == 64
    assert set(some.particle.tolist()) <= set(dataset.train.tolist())


def test_the_sampling_fraction_of_the_file_is_that_of_the_game(dataset: Dataset) -> None:
    """Where absorbers are not read out the energy to hold is a fraction of what was asked for."""
    source = dataset.source
    thin = replace(
        source,
        cells=source.cells * 0.02,
        provenance={**source.provenance, "sampling_fraction": "0.02"},
    )
    thin_dataset = replace(dataset, source=thin)
    assert thin_dataset.detector(recipe_of("calogan")).sampling_fraction == 0.02
    run = prepared(recipe_of("calogan"), thin_dataset)
    parts = run.game.step(run.batches.iterate(), 0)
    assert 0 <= parts["generator"]["EnergyConditioning"] < 2
    assert run.game.networks["critic"].inputs.detector.sampling_fraction == 0.02
    assert prepared(recipe_of("calogan"), dataset).game.views.detector.sampling_fraction == 1


def test_the_sampling_fraction_of_the_file_is_that_of_the_card(tmp_path: Path) -> None:
    path = tmp_path / "thin.h5"
    some = read(write_part_of_sample(tmp_path / "zn.h5"))
    write(path, replace(some, provenance={**some.provenance, "sampling_fraction": "0.5"}))
    run = train(small_recipe("training.steps=1"), path, tmp_path / "run", threads=1).path
    card = read_card(run / "simulator" / CARD)
    assert card.detector.sampling_fraction == 0.5
    assert card.provenance["sampling_fraction"] == "0.5"
