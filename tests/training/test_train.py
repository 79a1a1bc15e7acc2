"""What a run leaves, what decides it, and what stops it."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, read, write
from caloforge.errors import DataError, UsageError
from caloforge.networks import CriticConfig, CriticOutput
from caloforge.objectives import EnergyScore, GanStep, NonFinite, Term
from caloforge.recipe import Recipe, override
from caloforge.recipes import DETECTORS_OF, RECIPES, recipe_of_name
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator import Simulator
from caloforge.simulator.sampling import NegativeBinomial
from caloforge.train import prepare, require_gradients, train
from caloforge.training.dataset import divide, size_line
from caloforge.training.distributed import DistributedContext
from caloforge.training.folder import RunFolder
from caloforge.training.game import Game, batches_of, build_game, rows_of_batch
from small_run import metrics_of, same, set_options, small_recipe, state_of

Cli = Callable[..., tuple[int, str, str]]
ALONE = DistributedContext(torch.device("cpu"))


def test_run_folder_holds_what_it_should(straight: Path, showers: Path) -> None:
    names = sorted(path.name for path in straight.iterdir())
    assert names == ["checkpoint.pt", "metrics.jsonl", "recipe.json", "simulator"]
    record = json.loads((straight / "recipe.json").read_text())
    assert Recipe.from_json((straight / "recipe.json").read_text()) == small_recipe()
    run = record["run"]
    assert run["data"]["path"] == str(showers)
    assert len(run["data"]["sha256"]) == 64
    assert run["torch"].startswith("2.")
    assert (run["threads"], run["processes"], run["device"]) == (1, 1, "cpu")


def test_metrics_tell_losses_score_rate_and_time(straight: Path) -> None:
    lines = [json.loads(line) for line in (straight / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12]
    for line in lines:
        assert set(line["losses"]) == {"critic", "generator"}
        assert set(line["losses"]["generator"]) == {"Paired", "SelectiveDiversity"}
        assert line["cpu_seconds"] > 0
        assert line["seconds"] > 0
        assert line["best_score"] == min(one["score"] for one in lines[: lines.index(line) + 1])
    # Two thousandths, from 40 % of the run (4.8 steps) on linearly to nothing.
    rates = [line["learning_rate"]["generator"] for line in lines]
    assert rates == pytest.approx([2e-3, 2e-3 * 5 / 7.2, 2e-3 / 7.2])


def test_same_seed_same_run(straight: Path, showers: Path, tmp_path: Path) -> None:
    again = train(small_recipe(), showers, tmp_path / "again", threads=1).path
    assert same(state_of(again), state_of(straight))
    assert metrics_of(again) == metrics_of(straight)


def test_the_simulator_is_the_best_generator(straight: Path) -> None:
    state = state_of(straight)
    assert state["best"]["step"] == min(metrics_of(straight), key=lambda one: one["score"])["step"]
    with ShowerFile(
        Path(json.loads((straight / "recipe.json").read_text())["run"]["data"]["path"])
    ) as file:
        dataset = divide(file, small_recipe().data)
    game = build_game(small_recipe(), dataset.scaling(small_recipe()), ALONE)
    generator = game.networks["generator"].eval()
    generator.load_state_dict(state["best"]["weights"])
    simulator = Simulator.load(straight / "simulator")
    latents = np.random.default_rng(0).standard_normal((5, 10), dtype=np.float32)
    conditions = dataset.conditions[:5].astype(np.float32)
    with torch.no_grad():
        expected = generator(torch.from_numpy(latents), torch.from_numpy(conditions)).numpy()
    np.testing.assert_allclose(
        simulator.expected(latents, conditions), expected, rtol=1e-3, atol=1e-4
    )


def test_checkpoint_holds_tensors_and_plain_data(straight: Path) -> None:
    allowed = (torch.Tensor, dict, list, tuple, str, int, float, bool, type(None))

    def check(value: Any) -> None:
        assert type(value) in allowed
        children = value.values() if isinstance(value, dict) else value
        for child in children if isinstance(value, dict | list | tuple) else ():
            check(child)

    state = state_of(straight)
    assert (state["format"], state["version"]) == ("caloforge-checkpoint", 1)
    check(state)


def test_score_alone_trains_no_critic(showers: Path) -> None:
    recipe = small_recipe(name="calibrated")
    with ShowerFile(showers) as file:
        dataset = divide(file, recipe.data)
        game = build_game(recipe, dataset.scaling(recipe), ALONE)
        parts = game.step(dataset.batches(recipe, ALONE).iterate(), 0)
    assert set(game.networks) == set(game.optimisers) == {"generator"}
    assert set(parts) == {"generator"}


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - DETECTORS_OF))
def test_every_recipe_plays_three_steps(name: str, showers: Path) -> None:
    recipe = small_recipe(name=name)
    with ShowerFile(showers) as file:
        dataset = divide(file, recipe.data)
        game = build_game(recipe, dataset.scaling(recipe), ALONE)
        stream = dataset.batches(recipe, ALONE).iterate()
        before = [p.detach().clone() for p in game.networks["generator"].parameters()]
        for step in range(3):
            parts = game.step(stream, step)
    assert all(np.isfinite(v) for terms in parts.values() for v in terms.values())
    after = game.networks["generator"].parameters()
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_each_round_of_the_critic_has_a_batch_of_its_own(showers: Path) -> None:
    recipe = small_recipe("training.critic_steps=3")
    assert batches_of(recipe.objective, recipe.training) == 3
    alone = small_recipe(name="calibrated")
    assert batches_of(alone.objective, alone.training) == 1
    with ShowerFile(showers) as file:
        dataset = divide(file, recipe.data)
        game = build_game(recipe, dataset.scaling(recipe), ALONE)
        stream = dataset.batches(recipe, ALONE).iterate()
        game.step(stream, 0)
        expected = dataset.batches(recipe, ALONE).at(3)
        assert np.array_equal(next(stream).real, expected.real)


def test_learning_uses_training_particles_only(showers: Path) -> None:
    recipe = small_recipe()
    with ShowerFile(showers) as file:
        dataset = divide(file, recipe.data)
        batches = dataset.batches(recipe, ALONE)
        batch_particles = {
            int(p) for step in range(30) for p in np.unique(batches.at(step).particle)
        }
        particles = set(dataset.validation.particle.tolist())
        assert batch_particles <= set(dataset.train.tolist())
        assert not batch_particles & particles
        # Of forty particles four choose the best, four are for the test and appear nowhere.
        assert (len(dataset.train), len(particles)) == (32, 4)
        train_rows = np.isin(file.particle, dataset.train)
        assert np.array_equal(dataset.conditions, file.conditions[train_rows])


def test_file_larger_than_the_buffer_is_streamed(showers: Path) -> None:
    small, large = small_recipe("data.buffer_rows=64"), small_recipe()
    with ShowerFile(showers) as file:
        streamed, in_memory = divide(file, small.data), divide(file, large.data)
        assert streamed.source is file
        assert np.array_equal(streamed.validation.cells, in_memory.validation.cells)
        assert np.array_equal(streamed.conditions, in_memory.conditions)
        assert streamed.batches(small, ALONE).at(0).real.shape == (12, 1936)


def test_split_by_row_leaks_and_must_fit_memory(showers: Path) -> None:
    with ShowerFile(showers) as file:
        dataset = divide(file, small_recipe("data.split=row").data)
        assert set(dataset.validation.particle.tolist()) & set(dataset.train.tolist())
        with pytest.raises(UsageError, match=r"data\.buffer_rows"):
            divide(file, small_recipe("data.split=row", "data.buffer_rows=64").data)


def test_log_tells_pairs_particles_and_rows(showers: Path) -> None:
    recipe = small_recipe("data.particles=16", "data.repeats=8")
    with ShowerFile(showers) as file:
        dataset = divide(file, recipe.data)
        batches = dataset.batches(recipe, ALONE)
        line = size_line(batches, dataset)
    assert batches.generated_pairs_per_particle >= 4
    assert "28 generated pairs per particle" in line
    assert "32 particles" in line
    assert f"{len(dataset.conditions)} showers" in line


def test_single_showers_are_left_out_and_counted(showers: Path) -> None:
    recipe = small_recipe()
    with ShowerFile(showers) as file:
        whole = file.rows(0, len(file))
        keep = np.ones(len(file), dtype=bool)
        first = divide(file, recipe.data).train[0]
        keep[np.flatnonzero(file.particle == first)[1:]] = False
        dataset = replace(divide(file, recipe.data), source=whole.rows(keep))
        batches = dataset.batches(recipe, ALONE)
    assert "31 particles (1 left out: single showers)" in size_line(batches, dataset)


def test_a_score_of_single_showers_is_doubted_on_the_log(
    showers: Path, tmp_path: Path, caloforge: Cli
) -> None:
    single = set_options("data.showers_per_particle=1", "training.steps=1")
    options = (*single, "--data", showers, "--out", tmp_path / "run", "--device", "cpu")
    code, _, log = caloforge("train", "calibrated", *options)
    assert code == 0
    assert "set objective.EnergyScore.normalise=neighbours" in log
    fair = ("--set", "objective.EnergyScore.normalise=neighbours", "--force")
    code, _, log = caloforge("train", "calibrated", *options, *fair)
    assert (code, "neighbours" in log) == (0, False)


def test_without_drawing_terms_see_expected_counts(showers: Path) -> None:
    """Two draws of one generator differ by noise; its expected counts do not (the papers)."""
    for sampling in (True, False):
        recipe = small_recipe(f"training.drawn={str(sampling).lower()}")
        with ShowerFile(showers) as file:
            run = prepare(recipe, divide(file, recipe.data), RunFolder(showers), ALONE, SILENT)
        play = run.game.round("generator", rows_of_batch(run.batches.at(0), ALONE.device), 0)
        first, second = play.generate(play.z1), play.generate(play.z1)
        assert torch.equal(first, second) != sampling
        assert torch.equal(first, first.round()) == sampling
        assert isinstance(run.validation.sampling, NegativeBinomial)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("term", "term Paired is nan: training stopped in step 7"),
        (
            "gradient",
            "the gradient of the generator by term Paired is NaN or infinite: "
            "training stopped in step 7",
        ),
    ],
)
def test_infinity_stops_the_run_and_keeps_the_checkpoint(
    where: str, message: str, showers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, play = Game.step, Game.play

    def poisoned(self: Game, batches: Any, number: int) -> Any:
        if number == 6:
            monkeypatch.setattr(Game, "play", bad_term if where == "term" else bad_gradient)
        return step(self, batches, number)

    def bad_term(self: Game, player: Any, rows: Any, number: int) -> Any:
        with torch.no_grad():
            self.networks["critic"].logit.bias.fill_(float("nan"))
        return play(self, player, rows, number)

    def bad_gradient(self: Game, player: Any, rows: Any, number: int) -> Any:
        parameter = next(self.networks["generator"].parameters())
        parameter.register_hook(lambda gradient: gradient * float("inf"))
        return play(self, player, rows, number)

    monkeypatch.setattr(Game, "step", poisoned)
    with pytest.raises(NonFinite) as caught:
        train(small_recipe(), showers, tmp_path / "run", threads=1)
    assert str(caught.value) == f"{message}; {tmp_path / 'run' / 'checkpoint.pt'} holds step 5"
    state = state_of(tmp_path / "run")
    assert state["step"] == 5
    assert all(torch.isfinite(v).all() for v in state["networks"]["generator"].values())


class Touches(Term):
    """A harmless term that asks for the second latents first."""

    def generator(self, play: GanStep) -> torch.Tensor:
        return play.fake2.mean(dim=1) + 0 * play.fake.mean(dim=1)


class Breaks(Term):
    """A term of finite value whose gradient is not, if the first latent is as large as this."""

    above: float

    def generator(self, play: GanStep) -> torch.Tensor:
        flat = (play.fake - play.fake.detach()).abs().sum(dim=1)
        return flat.sqrt() if float(play.z1[0, 0]) > self.above else flat


@pytest.mark.parametrize("above", [-100.0, 1.0])
def test_the_guilty_term_is_named(above: float, showers: Path) -> None:
    """The second of three terms, always, or with the latents of few rounds only."""
    recipe = small_recipe(name="calibrated")
    with ShowerFile(showers) as file:
        dataset = divide(file, recipe.data)
        game = build_game(recipe, dataset.scaling(recipe), ALONE)
        rows = rows_of_batch(dataset.batches(recipe, ALONE).at(0), ALONE.device)
    game = replace(game, objective=Touches() + Breaks(above=above) + EnergyScore())
    for _ in range(3):
        with pytest.raises(NonFinite, match="gradient of the generator by term Breaks is NaN"):
            for number in range(1000):
                game.play("generator", rows, number)


def test_existing_output_is_refused_or_replaced(
    straight: Path, showers: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "checkpoint.pt").write_bytes(b"old")
    for name in ("metrics.csv", "curves.png", "tensorboard/events"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("old")
    with pytest.raises(UsageError, match="exists already"):
        train(small_recipe(), showers, out)
    assert (out / "checkpoint.pt").read_bytes() == b"old"
    train(small_recipe("training.steps=1"), showers, out, overwrite=True, threads=1)
    assert state_of(out)["step"] == 1
    assert (out / "notes.txt").read_text() == "mine"
    assert not {"metrics.csv", "curves.png", "tensorboard"} & {path.name for path in out.iterdir()}


class Steps(nn.Module):
    """A critic of steps: no gradient anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.ones(()))

    def forward(self, showers: Tensor, conditions: Tensor) -> CriticOutput:
        del conditions
        return CriticOutput((showers > self.level).float().sum(dim=1), showers)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_penalty_without_gradient_is_refused_before_anything_is_written(
    overwrite: bool, showers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CriticConfig, "build", lambda *_: Steps())
    out = tmp_path / "run"
    if overwrite:
        out.mkdir()
        (out / "checkpoint.pt").write_bytes(b"old")
    with pytest.raises(UsageError, match="a gradient penalty needs a critic"):
        train(small_recipe(), showers, out, overwrite=overwrite)
    files = [path.name for path in tmp_path.rglob("*")]
    assert files == (["run", "checkpoint.pt"] if overwrite else [])


def test_asking_for_gradients_leaves_no_trace(showers: Path, tmp_path: Path) -> None:
    """Neither in the statistics of batches nor in the random numbers."""
    recipe = small_recipe("critic.kind=reference", "data.particles=1", "data.repeats=2")
    with ShowerFile(showers) as file:
        run = prepare(recipe, divide(file, recipe.data), RunFolder(tmp_path), ALONE, SILENT)
        before = deepcopy(run.game.networks["critic"].state_dict()), run.game.random.get_state()
        require_gradients(run)
    after = run.game.networks["critic"].state_dict(), run.game.random.get_state()
    assert same(before, after)
    assert all(p.grad is None for p in run.game.networks["critic"].parameters())


def test_resuming_with_other_threads_is_warned(
    showers: Path, tmp_path: Path, caloforge: Cli
) -> None:
    out = tmp_path / "run"
    train(small_recipe("training.steps=1"), showers, out, threads=1)
    path = out / "recipe.json"
    path.write_text(path.read_text().replace('"threads": 1', '"threads": 8'))
    options = ["--resume", "--out", out, "--threads", 1, "--device", "cpu", "-q"]
    code, _, log = caloforge("train", path, *options)
    assert code == 0
    assert log == "warning: resuming with threads 1 (was 8): not bit for bit the same run\n"


def test_showers_of_another_detector_are_refused(showers: Path, tmp_path: Path) -> None:
    recipe = small_recipe("detector=alice_zp")
    with pytest.raises(DataError, match="holds showers of alice_zn, but alice_zp"):
        train(recipe, showers, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_command_trains(showers: Path, tmp_path: Path, caloforge: Cli) -> None:
    out = tmp_path / "run"
    options = ["--data", showers, "--out", out, "--threads", 1, "--json", *set_options()]
    code, output, log = caloforge("train", "sdi-gan", "--device", "cpu", *options)
    assert code == 0
    result = json.loads(output)
    assert result["run"] == str(out)
    assert result["best_score"] == metrics_of(out)[-1]["best_score"]
    assert "28 generated" not in log
    assert "6 generated pairs per particle" in log
    code, output, _ = caloforge(
        "train", str(out), "--resume", "--out", out, "--device", "cpu", "-q"
    )
    assert code == 0
    assert f"{out}: best validation score" in output


def test_dry_run_prints_the_recipe_and_writes_nothing(tmp_path: Path, caloforge: Cli) -> None:
    out = tmp_path / "run"
    options = ["--dry-run", "--out", out, "--seed", 5, "--set", "training.steps=7"]
    code, output, _ = caloforge("train", "dcgan", *options)
    assert code == 0
    recipe = Recipe.from_json(output)
    assert (recipe.name, recipe.seed, recipe.training.steps) == ("dcgan", 5, 7)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["no-gan"], 2, "no recipe no-gan; there are"),
        (["none.json"], 2, "none.json: there is no such recipe file"),
        (["dcgan", "--set", "training.step=3"], 2, "training has no step; valid: average"),
        (["dcgan", "--detector", "alice_zq"], 2, "alice_zq"),
        (["dcgan", "--data", "none.h5", "--out", "x"], 3, "none.h5"),
        (["dcgan", "--resume", "--out", "none"], 2, "no checkpoint.pt to resume"),
        (["dcgan", "--device", "tpu", "--out", "x"], 2, "no device tpu"),
        (["dcgan", "--out", "x", "--set", "data.test=0.95"], 2, "nothing is left to train"),
        (
            ["calibrated", "--out", "x", "--set", "objective.R1.weight=1"],
            2,
            "recipe calibrated: its critic has no game to play, only penalties (R1): "
            "set objective.Paired.weight=1, or the weight of the penalties to 0",
        ),
        (
            [
                *("conditional-calogan", "--out", "x"),
                *("--set", "objective.AttributeRegression.weights=[0,-3,1,1,1]"),
            ],
            2,
            "objective.AttributeRegression.weights.1 is -3: 0 turns an attribute off",
        ),
    ],
)
def test_bad_command_is_one_line(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caloforge: Cli,
) -> None:
    monkeypatch.chdir(tmp_path)
    exit_code, output, log = caloforge("train", *arguments)
    assert exit_code == code
    assert output == ""
    assert message in log
    assert log.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_bad_checkpoint_is_one_line(showers: Path, straight: Path, tmp_path: Path) -> None:
    import shutil

    out = tmp_path / "run"
    shutil.copytree(straight, out)
    for state, message in [
        ({"format": "caloforge-checkpoint", "version": 2}, "version 2, this caloforge reads 1"),
        ({"format": "other"}, "not a caloforge-checkpoint file"),
        ({"step": torch.zeros(1)}, "not a caloforge-checkpoint file"),
    ]:
        torch.save(state, out / "checkpoint.pt")
        with pytest.raises(DataError, match=message):
            train(small_recipe(), showers, out, resume=True)
    whole = state_of(straight) | {"clock": {"seconds": 0.0, "cpu_seconds": 0.0}}
    without = {name: value for name, value in whole.items() if name != "random"}
    for state in (whole | {"networks": {}}, without, whole | {"random": [torch.zeros(3)]}):
        torch.save(state, out / "checkpoint.pt")
        with pytest.raises(DataError, match="does not fit the recipe"):
            train(small_recipe(), showers, out, resume=True)
    (out / "checkpoint.pt").write_bytes(b"no archive at all")
    with pytest.raises(DataError, match="not a caloforge-checkpoint file") as caught:
        train(small_recipe(), showers, out, resume=True)
    assert "\n" not in str(caught.value)


class Touch:
    """What a pickle would run when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_loading_executes_nothing(showers: Path, straight: Path, tmp_path: Path) -> None:
    import shutil

    out = tmp_path / "run"
    shutil.copytree(straight, out)
    torch.save(
        {"format": "caloforge-checkpoint", "evil": Touch(tmp_path / "owned")}, out / "checkpoint.pt"
    )
    with pytest.raises(DataError, match="not a caloforge-checkpoint file") as caught:
        train(small_recipe(), showers, out, resume=True)
    assert "weights_only" not in str(caught.value)
    assert not (tmp_path / "owned").exists()


def test_further_files_join_the_training_part_alone(showers: Path, tmp_path: Path) -> None:
    with ShowerFile(showers) as file:
        others = file.rows(0, len(file))
        others = replace(others, particle=others.particle + 1_000_000)
        write(tmp_path / "more.h5", others)
        setting = f'data.training_files=["{tmp_path / "more.h5"}"]'
        alone, joined = (divide(file, small_recipe(*more).data) for more in ((), (setting,)))
        with pytest.raises(UsageError, match=r"data.buffer_rows >= "):
            divide(file, small_recipe(setting, f"data.buffer_rows={len(file)}").data)
        with pytest.raises(UsageError, match=r"data.split=particle"):
            divide(file, small_recipe(setting, "data.split=row").data)
        twice = small_recipe(f'data.training_files=["{showers}"]').data
        with pytest.raises(DataError, match="share particle numbers"):
            divide(file, twice)
    numbers = np.unique(others.particle)
    assert {*joined.train} == {*alone.train} | {*numbers}
    assert len(joined.conditions) == len(alone.conditions) + len(others)
    np.testing.assert_array_equal(joined.validation.cells, alone.validation.cells)
    recipe = small_recipe(setting)
    batch = next(joined.batches(recipe, ALONE).iterate())
    assert len(batch.real) == recipe.data.particles * recipe.data.repeats


def test_a_run_goes_on_with_the_same_further_files_only(showers: Path, tmp_path: Path) -> None:
    with ShowerFile(showers) as file:
        others = file.rows(0, len(file))
    others = replace(others, particle=others.particle + 1_000_000)
    write(tmp_path / "more.h5", others)
    recipe = small_recipe(f'data.training_files=["{tmp_path / "more.h5"}"]')
    train(recipe, showers, tmp_path / "run", threads=1)
    write(tmp_path / "more.h5", others.rows(slice(0, 8)), overwrite=True)
    with pytest.raises(DataError, match="is not what"):
        train(recipe, showers, tmp_path / "run", resume=True, threads=1)


def test_a_batch_of_one_shower_is_refused_in_one_line(showers: Path, tmp_path: Path) -> None:
    recipe = small_recipe("data.particles=1", "data.repeats=1")
    with pytest.raises(UsageError, match=r"set data\.particles=2 or more") as caught:
        train(recipe, showers, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_batch_of_one_particle_trains(showers: Path, tmp_path: Path) -> None:
    """Its unit is that of its own real showers."""
    recipe = small_recipe("data.particles=1", "training.steps=2")
    train(recipe, showers, tmp_path / "run", threads=1)


def test_where_repeats_are_too_few_counts_follow_poissons_law(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files with one shower a particle train by default, and the log says what law they get."""
    real = read(sample_path("alice_zn"))
    single = real.rows(np.unique(real.particle, return_index=True)[1][:200])
    write(tmp_path / "single.h5", single)
    recipe = override(recipe_of_name("dcgan", "alice_zn"), ["training.steps=1"])
    train(recipe, tmp_path / "single.h5", tmp_path / "run", reporter=Reporter())
    assert "counts follow Poisson's law: too few repeats" in capsys.readouterr().err
    assert Simulator.load(tmp_path / "run").card.sampling == "poisson"


def test_parts_of_the_training_particles_are_nested() -> None:
    recipe = recipe_of_name("calibrated", "alice_zp")
    ids = {}
    with ShowerFile(sample_path("alice_zp"), recipe.resolve()) as file:
        for number in (20, 50, None):
            changed_recipe = override(recipe, [f"data.training_particles={json.dumps(number)}"])
            dataset = divide(file, changed_recipe.data)
            ids[number] = set(dataset.train.tolist())
            assert len(np.unique(dataset.conditions, axis=0)) == len(ids[number])
            assert len(dataset.validation.groups()) == 26
    assert (len(ids[20]), len(ids[50])) == (20, 50)
    assert ids[20] < ids[50] < ids[None]
