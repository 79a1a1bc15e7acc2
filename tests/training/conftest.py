"""A small file of showers and a finished run, shared by the tests of training."""

from __future__ import annotations

from pathlib import Path

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
