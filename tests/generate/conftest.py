"""A small simulator, its particles, and the single file that all productions must equal."""

import h5py
import numpy as np
import pytest

from handmade import DETECTOR, some_conditions, write_simulator
from production_runs import PARTICLES, order


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """A folder with a simulator and ten particles, written by raw h5py; nobody writes to it."""
    folder = tmp_path_factory.mktemp("shop")
    write_simulator(folder / "simulator")
    with h5py.File(folder / "like.h5", "w") as file:
        file.attrs["format"], file.attrs["version"] = "caloforge-showers", 1
        file.attrs["detector"] = DETECTOR.model_dump_json()
        file.attrs["detector_hash"] = DETECTOR.fingerprint
        file.attrs["columns"] = list(DETECTOR.columns)
        file.attrs["units"] = [condition.unit for condition in DETECTOR.conditions]
        for layer in DETECTOR.layers:
            file[f"showers/{layer.name}"] = np.ones((PARTICLES, *layer.shape), dtype=np.uint16)
        file["conditions"], file["particle"] = some_conditions(PARTICLES), np.arange(PARTICLES)
        file["pdg"] = np.full(PARTICLES, 2112, dtype=np.int32)
    return folder


@pytest.fixture(scope="session")
def one_file(shop, tmp_path_factory):
    """The showers of the production, made in this process as one file: what all must equal."""
    from caloforge.cli import main

    out = tmp_path_factory.mktemp("one") / "all.h5"
    assert main([*order(shop, out, sharded=False), "-q"]) == 0
    return out
