"""Showers of a simulator as the library that DDML's LoadHdf5 plays back, without inference.

Shapes: N showers, grid (layers, X, Y). Contract: DDML/src/LoadHdf5.cc (readers/ddml_library.py).
"""

from __future__ import annotations

import io

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import ShowerFile
from caloforge.errors import UsageError
from caloforge.export.bundle import Contents
from caloforge.export.calorimeter import MEV_PER_GEV, require_energies
from caloforge.export.ddml import finest_grid, grid_facts
from caloforge.export.options import Options
from caloforge.export.regridding import overlap
from caloforge.readers.ddml_library import DATASETS, FILE
from caloforge.simulator import Simulator


def adapt(simulator: Simulator, options: Options) -> Contents:
    """A library of showers for the particles of ``options.showers``, or of the stored answers."""
    require_energies(simulator, "ddml-library")
    grid = options.mesh or finest_grid(simulator.detector)
    if len(grid) != 2 or any(cells % 2 for cells in grid):
        raise UsageError("the grid of ddml-library is X x Y, both even, such as 12x96")
    conditions = simulator.reference.conditions.astype(np.float64)
    if options.showers is not None:
        with ShowerFile(options.showers, simulator.detector) as file:
            conditions = file.conditions
    conditions = conditions[np.arange(options.count) % len(conditions)]
    cells = simulator.generate(conditions, seed=options.seed)
    library = on_grid(simulator, cells, grid) * np.float32(MEV_PER_GEV)
    facts = grid_facts(simulator.detector, grid) | {
        "seed": options.seed,
        "energy_mev": float(cells.sum(dtype=np.float64) * MEV_PER_GEV),
    }
    paste = f"FilePath={FILE}, {options.count} showers at most in one job"
    return Contents({FILE: hdf5(library, conditions, simulator)}, facts, README, paste)


def on_grid(
    simulator: Simulator, cells: NDArray[np.float32], grid: tuple[int, ...]
) -> NDArray[np.float32]:
    """Showers on the reader's grid.  (N, K) -> (N, layers, X, Y)"""
    facts = grid_facts(simulator.detector, grid)
    widths = (facts["CellSizeX"], facts["CellSizeY"])
    images = []
    for layer in simulator.detector.layers:
        across, along = (
            overlap(layer.shape[axis], layer.cell_mm[axis], grid[axis], widths[axis])
            for axis in (0, 1)
        )
        images.append(across.T @ simulator.detector.split(cells)[layer.name] @ along)
    return np.stack(images, axis=1).astype(np.float32)


def hdf5(
    library: NDArray[np.float32], conditions: NDArray[np.float64], simulator: Simulator
) -> bytes:
    """The file: the showers under both names that versions of DDML look for, and conditions."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset(DATASETS[0], data=library)
        for name in DATASETS[1:]:
            file[name] = file[DATASETS[0]]
        file.create_dataset("conditions", data=conditions)
        file["conditions"].attrs["columns"] = ",".join(simulator.detector.columns)
        file.attrs["unit"] = "MeV"
    return stream.getvalue()


README = """# DDML, LoadHdf5

Plays back showers in the order of the file, whatever the particle is: make the library for the
particles of the run. The reader does not start again at its end: ask for no more showers than the
library holds. Grid properties as for `ddml` (see bundle.json); the layer is the slowest index, as
RegularGridGANModel takes it.
"""

__all__ = ["adapt", "on_grid"]
