"""A small simulator, its particles, and the single file that all productions must equal."""

import numpy as np
import pytest

from handmade import DETECTOR, some_conditions, write_simulator
from production_runs import PARTICLES, order
from raw_showers import write_showers


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """A folder with a simulator and ten particles, written by raw h5py; nobody writes to it."""
    folder = tmp_path_factory.mktemp("shop")
    write_simulator(folder / "simulator")
    cells = np.ones((PARTICLES, DETECTOR.cells), dtype=np.uint16)
    columns = (cells, some_conditions(PARTICLES), np.arange(PARTICLES))
    write_showers(folder / "like.h5", DETECTOR, *columns, pdg=2112)
    return folder


@pytest.fixture(scope="session")
def one_file(shop, tmp_path_factory):
    """The showers of the production, made in this process as one file: what all must equal."""
    from caloforge.cli import main

    out = tmp_path_factory.mktemp("one") / "all.h5"
    assert main([*order(shop, out, sharded=False), "-q"]) == 0
    return out
