"""A small file of showers and a finished run, shared by the tests of training."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caloforge.train import train
from small_run import small_recipe, write_part_of_sample


@pytest.fixture(scope="session")
def showers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty particles of the shipped sample."""
    return write_part_of_sample(tmp_path_factory.mktemp("showers") / "zn.h5")


@pytest.fixture(scope="session")
def straight(showers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("runs") / "straight"
    return train(small_recipe(), showers, out, threads=1).path


@pytest.fixture(scope="session")
def drive(showers: Path) -> Callable[..., Any]:
    """Run ``driver.py`` and return the exit codes of the processes that it started."""

    def run(what: str, out: Path, *more: str) -> Any:
        driver = Path(__file__).with_name("driver.py")
        command = [sys.executable, str(driver), what, str(out), str(showers), *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
