"""Two processes train one model: equal parameters, other particles, and they leave together."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from caloforge.training.distributed import DistributedContext
from processes import run_together
from small_run import metrics_of, same, set_options, state_of
from training import driver


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.fixture(scope="module")
def outcomes(showers: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Straight through; stopped by a SIGTERM to one of the two; then resumed."""
    out, port = tmp_path_factory.mktemp("context"), free_port()

    def both(name: str, term: bool, *more: str) -> list[int | None]:
        calls = [(name, rank, out, showers, port, term, *more) for rank in (0, 1)]
        return run_together(driver.one_of_two, *calls)

    return out, {
        "straight": both("straight", False),
        "stopped": both("resumed", True),
        "resumed": both("resumed", False, "--resume"),
    }


def of_ranks(outcomes: Any, name: str) -> list[Any]:
    return [torch.load(outcomes[0] / f"{name}-{rank}.pt", weights_only=True) for rank in (0, 1)]


def test_both_processes_finish(outcomes: Any) -> None:
    assert outcomes[1] == {"straight": [0, 0], "stopped": [143, 143], "resumed": [0, 0]}


def test_both_have_the_same_parameters(outcomes: Any) -> None:
    first, second = of_ranks(outcomes, "straight")
    for name, weights in first["networks"].items():
        for key, value in weights.items():
            assert torch.equal(value, second["networks"][name][key]), f"{name}.{key}"


def test_a_particle_stays_on_one_process(outcomes: Any) -> None:
    first, second = (set(one["particles"].tolist()) for one in of_ranks(outcomes, "straight"))
    assert first
    assert second
    assert not first & second
    assert len(first | second) == 32


def test_stopped_pair_goes_on_bit_for_bit(outcomes: Any) -> None:
    straight, resumed = outcomes[0] / "straight", outcomes[0] / "resumed"
    assert len(state_of(straight)["random"]) == 2
    assert same(state_of(resumed), state_of(straight))
    assert metrics_of(resumed) == metrics_of(straight)
    assert all(map(same, of_ranks(outcomes, "straight"), of_ranks(outcomes, "resumed")))


def test_one_process_alone_changes_nothing() -> None:
    context = DistributedContext(torch.device("cpu"))
    network = torch.nn.Linear(2, 1)
    network(torch.ones(1, 2)).sum().backward()
    assert network.weight.grad is not None
    before = network.weight.grad.clone()
    context.average(network)
    context.wait()
    assert torch.equal(before, network.weight.grad)
    assert context.any(True)
    assert not context.any(False)
    assert context.leads


@pytest.mark.slow
def test_torchrun_starts_a_team(showers: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launch += ["--master-port", free_port(), "-m", "caloforge", "train", "sdi-gan"]
    launch += ["--data", str(showers), "--out", str(out), "--device", "cpu", "-q", *set_options()]
    process = subprocess.run(launch, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("best validation score") == 1
    assert state_of(out)["step"] == 12
