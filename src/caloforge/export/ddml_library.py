"""DDML's LoadHdf5: a library of showers that it plays back, with RegularGridGANModel behind it.

Shapes: N showers, grid (layers, X, Y). Contract: DDML/src/LoadHdf5.cc: one float dataset,
``layers`` in older versions and ``events`` in newer ones, rank 4 with the shower first; a shower is
handed on flat, and the model takes the layer for the slowest index, then X, then Y. After the last
shower the reader runs out of its array.
"""

from __future__ import annotations

import io

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from caloforge.detectors.species import MEV_PER_GEV
from caloforge.errors import DataError, UsageError
from caloforge.export.bundle import (
    Bundle,
    CheckOptions,
    CheckResult,
    Contents,
    Finding,
    Options,
    ReaderFacts,
    numbers_agree,
)
from caloforge.export.ddml import Grid, finest_grid, grid_facts
from caloforge.export.mesh import overlap, require_energies
from caloforge.io.hdf5 import dataset as guarded
from caloforge.io.hdf5 import open_hdf5, whole
from caloforge.io.reading import reading
from caloforge.io.showers import ShowerFile
from caloforge.simulator import Simulator

FILE = "library.h5"
DATASETS = ("layers", "events")


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
    return Contents({FILE: library_file(library, conditions, simulator)}, facts, README, paste)


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


def library_file(
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


class LibraryReader:
    """The showers of a library, one after the other; DataError where DDML could not read it."""

    def __init__(self, bundle: Bundle, dataset: str = DATASETS[0]) -> None:
        self.grid, path, self.count = Grid(bundle), bundle.file(FILE), 0
        with open_hdf5(path) as file, reading(path):
            self.library = self._read(file, dataset)

    def _read(self, file: h5py.File, name: str) -> NDArray[np.float32]:
        data = guarded(file, name, "f", 4)
        if data.shape[1:] != self.grid.cells:
            raise DataError(f"{name} is {data.shape}, not (N, *{self.grid.cells})")
        return np.asarray(whole(data), dtype=np.float32)

    def energies_mev(self) -> NDArray[np.float64]:
        """Hits of the next shower; DataError past the last one.  (layers, X, Y)"""
        if self.count >= len(self.library):
            raise DataError(f"the library holds {len(self.library)} showers; DDML reads on")
        shower = self.grid.place(self.library[self.count].ravel())
        self.count += 1
        return shower


class LibraryFacts(ReaderFacts):
    """What all showers of the library hold together."""

    energy_mev: float = Field(ge=0)


def check(bundle: Bundle, options: CheckOptions) -> CheckResult:
    """Read all showers and compare their energy with what was generated."""
    readers = [LibraryReader(bundle, name) for name in DATASETS]
    bundle.require_checksums()
    library = readers[0].library
    finite = bool(np.isfinite(library).all() and (library >= 0).all())
    text = f"{len(library)} showers on a grid of {readers[0].grid.cells}"
    total = np.array([library.sum(dtype=np.float64)])
    energy = np.array([bundle.reader(LibraryFacts).energy_mev])
    same = np.array_equal(readers[1].library, library)
    findings = (
        Finding("cells", finite and same, text, {"showers": len(library)}),
        numbers_agree("energy", total, energy, tolerance=1e-4),
    )
    return CheckResult("ddml-library", findings)
