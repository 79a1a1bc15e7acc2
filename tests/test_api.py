"""The verbs as functions: the same as the command line, with typed results."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import caloforge
from caloforge import Showers, Simulator, read
from caloforge.cli.options import recipe_names
from caloforge.data.samples import sample_path
from caloforge.data.split import split_by_particle
from caloforge.errors import DataError, UsageError
from caloforge.evaluate import apply_gate, fast_score, layered_checks, matched, two_sample_metrics
from caloforge.evaluate.result import EvaluationResult
from caloforge.transport import draw
from caloforge.transport import prepare as prepare_transport

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def real() -> Showers:
    showers = read(sample_path("alice_zn"))
    return showers.of_particles(np.unique(showers.particle)[:6])


def test_showers_slice_as_arrays_do(real: Showers) -> None:
    assert np.array_equal(real[3:9].cells, real.cells[3:9])
    assert np.array_equal(real[-1].conditions, real.conditions[-1:])
    assert np.array_equal(real[real.particle == real.particle[0]].cells, real[:8].cells)
    assert np.array_equal(real[np.array([5, 2])].cells, real.cells[[5, 2]])
    assert [len(one) for one in real[:3]] == [1, 1, 1]
    with pytest.raises(IndexError):
        real[len(real)]
    assert repr(real) == f"Showers({len(real)} of alice_zn, particles: 6, cells: 1936)"
    assert "<caption>48 showers of alice_zn</caption>" in real._repr_html_()


def test_a_simulator_pickles(real: Showers) -> None:
    simulator = Simulator.load("alice_zn", threads=1)
    again = pickle.loads(pickle.dumps(simulator))
    conditions = real.conditions[:4]
    first, second = (one.generate(conditions, seed=2) for one in (simulator, again))
    assert np.array_equal(first, second)
    assert len(pickle.dumps(simulator)) < 1000


def test_generate_gives_what_the_simulator_gives(real: Showers) -> None:
    generated = caloforge.generate("alice_zn", real, seed=3)
    cells = Simulator.load("alice_zn").generate(real.conditions, seed=3)
    assert np.array_equal(generated.cells, cells)
    assert np.array_equal(generated.particle, real.particle)
    two = caloforge.generate("alice_zn", real.conditions[[0, 8]], repeats=3)
    assert len(two) == 6
    assert len(two.groups()) == 2
    with pytest.raises(DataError, match="conditions are"):
        caloforge.generate("alice_zn", [1.0, 2.0])


def test_generate_refuses_showers_of_another_detector() -> None:
    proton = read(sample_path("alice_zp"))[:4]
    with pytest.raises(DataError, match="makes showers of alice_zn, the particles are of alice_zp"):
        caloforge.generate("alice_zn", proton)


def test_a_seed_below_zero_is_refused_everywhere(real: Showers, tmp_path: Path) -> None:
    particles = draw("photons", real.detector, 4, seed=1)
    layered = read(sample_path("atlas_em"))[:20]
    for call in (
        lambda: caloforge.generate("alice_zn", real, seed=-1),
        lambda: caloforge.evaluate(real, real, seed=-1, classifier="none"),
        lambda: caloforge.export("alice_zn", "triton", tmp_path / "bundle", seed=-1),
        lambda: caloforge.train("dcgan", out=tmp_path / "run", seed=-1),
        lambda: apply_gate(real, real, seed=-1),
        lambda: fast_score(real, real, seed=-1),
        lambda: two_sample_metrics(real, real, seed=-1),
        lambda: list(layered_checks(layered, layered, None, config=None, seed=-1)),
        lambda: draw("photons", real.detector, 4, seed=-1),
        lambda: prepare_transport(real.detector, particles, seed=-1, command="true"),
        lambda: split_by_particle(real.particle, seed=-1),
    ):
        with pytest.raises(UsageError, match=r"seed.*(at least|greater than or equal to) 0"):
            call()
    assert not any(tmp_path.iterdir())


def test_evaluate_is_the_table_of_the_command(real: Showers) -> None:
    result = caloforge.evaluate("alice_zn", real, seed=1, classifier="none")
    assert isinstance(result, EvaluationResult)
    generated = caloforge.generate("alice_zn", real, seed=1)
    table = caloforge.evaluate.evaluate(real, generated, seed=1)
    assert result.measured("conditional_w1") == table.measured("conditional_w1")
    assert result.gate is not None
    assert len(repr(result)) < 400
    assert "conditional W1" in result._repr_html_()


def test_train_and_export(real: Showers, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    caloforge.write(tmp_path / "few.h5", read(sample_path("alice_zn"))[:160])
    settings = {
        "generator.kind": "o2",
        "data.particles": 3,
        "training.steps": 2,
        "training.precision": "float32",
    }
    result = caloforge.train(
        "calibrated", tmp_path / "few.h5", tmp_path / "run", settings=settings, seed=1, threads=1
    )
    assert (result.step, result.best_step) == (2, 2)
    assert result.simulator.card.recipe["seed"] == 1
    assert result.metrics[-1]["score"] == result.best_score
    assert "best_score" in result._repr_html_()
    bundle = caloforge.export(result.simulator, "triton", tmp_path / "bundle")
    assert set(bundle.files) <= {
        str(p.relative_to(bundle.folder)) for p in bundle.folder.rglob("*")
    }
    assert all(text.startswith("ok") for text in bundle.findings.values())
    assert "<caption>export to triton</caption>" in bundle._repr_html_()
    with pytest.raises(UsageError, match="detector goes with the name"):
        caloforge.train(caloforge.Recipe.read(result.folder / "recipe.json"), detector="alice_zp")


def test_batches_for_torch(real: Showers) -> None:
    torch = pytest.importorskip("torch")
    from caloforge.training.torch_data import ShowerDataset, shower_loader

    data = ShowerDataset(real)
    cells, conditions, particle = data[5]
    assert np.array_equal(cells, real.cells[5])
    assert np.array_equal(conditions, real.conditions[5].astype(np.float32))
    assert int(particle) == real.particle[5]
    batches = [list(shower_loader(real, 20, seed=seed)) for seed in (0, 0, 1)]
    assert [len(batch.particle) for batch in batches[0]] == [20, 20, 8]
    order = [torch.cat([batch.cells for batch in one]) for one in batches]
    assert torch.equal(order[0], order[1])
    assert not torch.equal(order[0], order[2])
    assert torch.equal(order[2].sum(), torch.from_numpy(real.cells.astype(np.float32)).sum())


def completed(*words: str) -> list[str]:
    line = " ".join(("caloforge", *words))
    environment = os.environ | {
        "_CALOFORGE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words)),
    }
    code = "import sys; from caloforge.cli import main; main([]); assert 'torch' not in sys.modules"
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    return process.stdout.split()


def test_the_shell_completes_names() -> None:
    pytest.importorskip("torch")
    from caloforge.recipes import RECIPES

    assert recipe_names() == sorted(RECIPES.own)
    assert completed("train", "sdi") == ["sdi-gan", "sdi-gan-published"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("generate", "alice"), ["alice_zn", "alice_zn/small", "alice_zp"]),
        (("generate", "alice_zn", "--spectrum", "spectator-n"), ["spectator-neutrons"]),
        (("export", "alice_zn", "--target", "tri"), ["triton"]),
        (("train", "dcgan", "--detector", "atlas_em_"), ["atlas_em_polar"]),
    ],
)
def test_the_shell_completes_options(words: tuple[str, ...], names: list[str]) -> None:
    assert completed(*words) == names


def test_particles_are_generated_in_the_order_of_their_first_row(real: Showers) -> None:
    rows = np.concatenate([real.conditions[[40, 0]], real.conditions[[40]]])
    generated = caloforge.generate("alice_zn", rows, seed=3)
    np.testing.assert_array_equal(generated.conditions, rows[[0, 2, 1]])
    assert generated.particle.tolist() == [0, 0, 1]
    showers = dataclasses.replace(real[:16], particle=np.repeat([9, 3], 8))
    assert caloforge.generate("alice_zn", showers).particle.tolist() == [9] * 8 + [3] * 8
    with pytest.raises(UsageError, match="repeats is 0"):
        caloforge.generate("alice_zn", rows, repeats=0)


def test_generated_conditions_find_their_real_particles(real: Showers) -> None:
    generated = caloforge.generate("alice_zn", real.conditions, seed=3)
    first, second, warnings = matched(real, generated)
    assert not warnings
    assert np.array_equal(first.conditions, second.conditions)
