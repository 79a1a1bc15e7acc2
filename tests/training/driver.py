"""Processes that die, or that train together, started by ``processes.run_together``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from caloforge.cli import main
from caloforge.training import metrics
from caloforge.training.game import Game
from caloforge.training.run import Run
from small_run import set_options

Action = Callable[[], Any]


def die() -> None:
    """What the kernel does to a job that took too much: nothing can be tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(owner: Any, name: str, number: int, act: Action, *, after: bool = False) -> None:
    """Act before (or after) the call of that number, counted from 1."""
    real, calls = getattr(owner, name), []

    def patched(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        if len(calls) == number and not after:
            act()
        result = real(*args, **kwargs)
        if len(calls) == number and after:
            act()
        return result

    setattr(owner, name, patched)


def at_rename(target: str, number: int, act: Action, *, after: bool = False) -> None:
    """Act before (or after) a file is renamed to that name for the n-th time."""
    real, calls = os.replace, []

    def patched(source: Any, destination: Any) -> None:
        hit = Path(destination).name == target
        calls.extend([target] * hit)
        if hit and len(calls) == number and not after:
            act()
        real(source, destination)
        if hit and len(calls) == number and after:
            act()

    os.replace = patched


def half_a_checkpoint() -> None:
    real, calls = Path.write_bytes, []

    def patched(path: Path, content: Any) -> int:
        calls.extend(["checkpoint"] * (".checkpoint." in path.name))
        if len(calls) == 3:
            real(path, bytes(content[:20]))
            die()
        return real(path, content)

    Path.write_bytes = patched  # type: ignore[method-assign, assignment]


def half_a_line() -> None:
    def torn(path: Path, record: Any) -> None:
        with path.open("a") as stream:
            stream.write('{"step": 8, "los')
        die()

    real, calls = metrics.append, []

    def patched(path: Path, record: Any) -> None:
        calls.append(path)
        (torn if len(calls) == 2 else real)(path, record)

    metrics.append = patched


POINTS: dict[str, Action] = {
    # Checkpoints are written at steps 0, 5, 10 and 12, lines at 4, 8 and 12.
    "within_a_step": lambda: at_call(Game, "play", 2 * 7 + 2, die),
    "half_a_checkpoint": half_a_checkpoint,
    "between_write_and_rename": lambda: at_rename("checkpoint.pt", 3, die),
    "just_renamed": lambda: at_rename("checkpoint.pt", 3, die, after=True),
    "half_a_line": half_a_line,
    "between_line_and_checkpoint": lambda: at_call(metrics, "append", 3, die, after=True),
    "before_the_simulator": lambda: at_rename("simulator", 1, die),
    "sigterm": lambda: at_call(Game, "step", 7, lambda: os.kill(os.getpid(), signal.SIGTERM)),
}


def arguments(out: Path, data: Path, *settings: str) -> list[str]:
    fixed = ["--data", str(data), "--out", str(out), "--threads", "1", "--device", "cpu", "-q"]
    return ["train", "sdi-gan", *fixed, *set_options(*settings)]


def killed(point: str, out: Path, data: Path) -> None:
    """A run that is killed there."""
    POINTS[point]()
    sys.exit(main(arguments(out / point, data)))


PAIR = (
    *("critic.kind=reference", "training.steps=4"),
    *("training.validation_interval=2", "training.checkpoint_interval=3"),
)


def one_of_two(
    name: str, rank: int, out: Path, data: Path, port: str, term: bool, *more: str
) -> None:
    """A process of a pair that trains together; with ``term`` the second one gets a SIGTERM."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    if term and rank == 1:
        at_call(Game, "step", 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    games: list[Any] = []
    real = Run.play

    def play(self: Run, stream: Any) -> Any:
        games[:] = [self]
        return real(self, stream)

    Run.play = play
    code = main([*arguments(out / name, data, *PAIR), *more])
    nets = {key: net.state_dict() for key, net in games[0].game.networks.items()}
    particles = torch.from_numpy(games[0].batches.particle_ids)
    torch.save({"networks": nets, "particles": particles}, out / f"{name}-{rank}.pt")
    sys.exit(code)
