"""Average, learning rate, metrics, score, precision: one idea each."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from caloforge.data.showers import ShowerFile, groups_of
from caloforge.errors import UsageError
from caloforge.machine import asked_to_leave
from caloforge.training import distributed, metrics
from caloforge.training.average import Average
from caloforge.training.dataset import divide, some
from caloforge.training.game import decay
from caloforge.training.validation import Best, Validation
from small_run import small_recipe


@pytest.mark.parametrize("expected", [0.9, 0.5, None])
def test_average_is_the_recurrence(expected: float | None) -> None:
    rng = np.random.default_rng(0)
    network = nn.Linear(3, 1).double()
    average = Average(network, expected)
    by_hand = network.weight.detach().numpy().copy()
    for step in range(30):
        weights = rng.normal(size=(1, 3))
        with torch.no_grad():
            network.weight.copy_(torch.from_numpy(weights))
        average.update(network, step)
        rate = min(expected or 0.0, (1 + step) / (10 + step))
        by_hand = rate * by_hand + (1 - rate) * weights
    np.testing.assert_allclose(average.network.weight.numpy(), by_hand, rtol=1e-12)
    assert not average.network.weight.requires_grad


def test_average_copies_running_statistics() -> None:
    network = nn.BatchNorm1d(2)
    average = Average(network, 0.9)
    network(torch.randn(8, 2) + 5)
    average.update(network, 0)
    assert torch.equal(average.network.running_mean, network.running_mean)
    assert not average.network.training


def test_learning_rate_falls_linearly_to_nothing() -> None:
    training = small_recipe("training.steps=100", "training.decay_from=0.6").training
    assert [decay(step, training) for step in (0, 59, 60)] == [1, 1, 1]
    assert decay(80, training) == pytest.approx(0.5)
    assert 0 < decay(99, training) == pytest.approx(1 / 40)
    constant = small_recipe("training.steps=100", "training.decay_from=1").training
    assert [decay(step, constant) for step in (0, 99)] == [1, 1]


def test_means_are_of_the_steps_since_the_last_line() -> None:
    means = metrics.Means()
    for value in (1.0, 2.0, 6.0):
        means.add({"generator": {"A": value}, "critic": {"B": 2 * value}})
    assert means.take() == {"generator": {"A": 3.0}, "critic": {"B": 6.0}}
    means.add({"generator": {"A": 5.0}})
    assert means.take() == {"generator": {"A": 5.0}}


def test_metrics_are_cut_back_to_a_step(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for step in (4, 8, 12):
        metrics.append(path, {"step": step})
    with path.open("a") as stream:
        stream.write('{"step": 16, "sc')
    metrics.truncate(path, 8)
    assert path.read_text() == '{"step": 4}\n{"step": 8}\n'


def test_metrics_without_a_file_are_empty(tmp_path: Path) -> None:
    assert metrics.read(tmp_path / "none.jsonl") == []


def test_termination_is_noticed_and_the_old_handler_returns() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with asked_to_leave() as leaving:
        assert not leaving()
        os.kill(os.getpid(), signal.SIGTERM)
        assert leaving()
    assert signal.getsignal(signal.SIGTERM) is before


def test_some_particles_stay_whole_and_within_bounds() -> None:
    groups = groups_of(np.repeat(np.arange(50), 8))
    rows = some(groups, 100, seed=0)
    assert len(rows) == 12
    assert (np.diff(rows.starts) > 0).all()
    assert (rows.counts == 8).all()
    assert np.array_equal(some(groups, 1000, seed=0).ids, groups.ids)
    assert len(some(groups, 3, seed=0)) == 1


class Constant(nn.Module):
    """A generator of one shower."""

    def __init__(self, cells: torch.Tensor) -> None:
        super().__init__()
        self.cells = nn.Parameter(cells)

    def forward(self, latent: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        return self.cells.expand(len(latent), -1)


@pytest.fixture
def validation(showers: Path) -> Validation:
    with ShowerFile(showers) as file:
        return Validation.of(divide(file, small_recipe().data).validation, 10, "rounding", 0)


def test_score_is_that_of_drawn_counts_and_repeats(validation: Validation) -> None:
    device = torch.device("cpu")
    mean = torch.from_numpy(validation.real.cells.mean(axis=0).astype(np.float32))
    scores = [validation.score(Constant(mean * factor), device).distance for factor in (1, 1, 3)]
    assert scores[0] == scores[1]
    assert scores[0] < scores[2]


def test_exploded_generator_has_a_score(validation: Validation) -> None:
    huge = torch.full((1936,), 1e9)
    assert np.isfinite(validation.score(Constant(huge), torch.device("cpu")).distance)


def test_best_is_the_lowest_and_does_not_follow() -> None:
    network, best = nn.Linear(1, 1), Best()
    assert best.offer(3.0, 10, network)
    with torch.no_grad():
        network.weight += 1
    assert not best.offer(3.0, 20, network)
    assert not best.offer(float("nan"), 30, network)
    assert (best.score, best.step) == (3.0, 10)
    assert best.weights is not None
    assert not torch.equal(best.weights["weight"], network.weight)


def test_precision_follows_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    device = torch.device("cpu")
    for amx, expected in [(True, torch.bfloat16), (False, torch.float32)]:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda amx=amx: {"amx_bf16": amx})
        assert distributed.precision_of("auto", device) is expected
    assert distributed.precision_of("bfloat16", device) is torch.bfloat16
    assert distributed.precision_of("float32", device) is torch.float32


def test_denormals_count_as_zero_inside_only() -> None:
    tiny = torch.full((64,), 1e-30)
    with distributed.without_denormals():
        inside = (tiny * 1e-10).sum().item()
    assert inside == 0
    assert (tiny * 1e-10).sum().item() > 0


def test_missing_device_is_told() -> None:
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no CUDA device"):
            distributed.device_of_name("cuda")
        assert distributed.device_of_name("auto").type == "cpu"
    with pytest.raises(UsageError, match="no device tpu"):
        distributed.device_of_name("tpu")


@pytest.mark.gpu
def test_cuda_trains(showers: Path, tmp_path: Path) -> None:
    from caloforge.train import train

    run = train(small_recipe("training.precision=auto"), showers, tmp_path / "run", device="cuda")
    assert metrics.read(run.metrics)[-1]["step"] == 12
