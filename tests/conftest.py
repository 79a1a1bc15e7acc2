"""Fixtures that every test may ask for; what only one file needs lives in that file."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import typer

from benchmarks.__main__ import command as benchmarks
from caloforge.cli import app
from caloforge.cli import run as run_line
from validation.__main__ import app as studies

if TYPE_CHECKING:
    import numpy as np

# Before numpy or torch is loaded: threads that wait for each other cost more than they give here.
for limit in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(limit, "1")


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    import numpy as np

    return np.random.default_rng(20261123)


Line = Callable[..., tuple[int, str, str]]


@pytest.fixture
def caloforge(capsys: pytest.CaptureFixture[str]) -> Line:
    """The command line in this process: ``caloforge("data", "info", path)`` -> code, out, err."""
    return line(app, "caloforge", capsys)


@pytest.fixture
def study(capsys: pytest.CaptureFixture[str]) -> Line:
    """``python -m validation``, as ``caloforge``."""
    return line(studies, "python -m validation", capsys)


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Line:
    """``python -m benchmarks``, as ``caloforge``."""
    return line(benchmarks, "python -m benchmarks", capsys)


def line(program: typer.Typer, name: str, capsys: pytest.CaptureFixture[str]) -> Line:
    """Runs a command line -> code, out, err."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_line(program, name, [str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return run


@pytest.fixture(autouse=True)
def _gpu_or_skip(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("gpu") is None:
        return
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
