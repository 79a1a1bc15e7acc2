"""What key4hep's DDML does with an ONNX file behind RegularGridGANModel.

Shapes: grid (layers, X, Y). Contract: ``DDML/src/RegularGridGANModel.cc`` and ``ONNXInference.cc``
(calo.md d3): inputs in the order of the graph, 100 uniform latents in (-1, 1) and the kinetic
energy in GeV, both with five dimensions; MeV out, layer slowest, then X, then Y; cells that are not
positive are dropped; optimisations are off unless asked for.
"""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.readers.bundle import Bundle
from caloforge.readers.graphs import Graph
from caloforge.readers.how import How
from caloforge.readers.mesh import Mesh, shower_findings
from caloforge.readers.verdict import Verdict

FILE = "generator.onnx"
LATENTS = 100
"""Fixed in the reader."""


class Grid:
    """The reader's properties: cells and their size; how it places what it reads."""

    def __init__(self, bundle: Bundle) -> None:
        facts = bundle.card.reader
        self.cells = tuple(int(facts[name]) for name in ("NCellsZ", "NCellsX", "NCellsY"))
        self.size_mm = (float(facts["CellSizeX"]), float(facts["CellSizeY"]))
        self.depths_mm = [layer.depth_mm or 0.0 for layer in bundle.card.detector.layers]

    def place(self, output: NDArray[np.float32]) -> NDArray[np.float64]:
        """Energies that become hits.  (values,) -> (layers, X, Y)"""
        values = output[: int(np.prod(self.cells))].astype(np.float64)
        return np.where(values > 0, values, 0.0).reshape(self.cells)

    def centres(self) -> Mesh:
        """Where the reader puts the hits; the depth is the middle of the layer."""
        middles = np.cumsum([0.0, *self.depths_mm])[:-1] + np.array(self.depths_mm) / 2
        x, y = (
            (np.arange(cells) - cells // 2 + 0.5) * size
            for cells, size in zip(self.cells[1:], self.size_mm, strict=True)
        )
        z, across, along = np.meshgrid(middles, x, y, indexing="ij")
        return Mesh(across, along, z)


class DdmlReader:
    """A model file behind DDML's inference; DataError where it cannot be used."""

    def __init__(self, bundle: Bundle) -> None:
        self.grid = Grid(bundle)
        self.graph = Graph(bundle.file(FILE), optimise=False)
        self.graph.require_float32()
        self.graph.require_inputs((1, LATENTS, 1, 1, 1), (1, 1, 1, 1, 1))

    def energies_mev(self, uniform: NDArray[np.float32], energy_gev: float) -> NDArray[np.float64]:
        """Hits of one particle.  (100,) -> (layers, X, Y)"""
        noise = uniform.astype(np.float32).reshape(1, LATENTS, 1, 1, 1)
        energy = np.full((1, 1, 1, 1, 1), energy_gev, dtype=np.float32)
        output = self.graph.run(noise, energy).ravel()
        wanted = int(np.prod(self.grid.cells))
        if output.size < wanted:
            raise DataError(f"{self.graph.path} gives {output.size} values, DDML reads {wanted}")
        return self.grid.place(output)


def uniform_of(latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Uniform numbers in (-1, 1) that become these normal ones, padded to 100.  (Z,) -> (100,)"""
    uniform = np.zeros(LATENTS, dtype=np.float32)
    uniform[: len(latents)] = [erf(float(value) / sqrt(2)) for value in latents]
    return uniform


def check(bundle: Bundle, how: How) -> Verdict:
    """Compare the energies of the stored particles with the native model's."""
    del how
    reader, reference = DdmlReader(bundle), bundle.reference()
    bundle.require_checksums()
    column = bundle.card.detector.columns.index("E")
    showers = [
        reader.energies_mev(uniform_of(latents), float(row[column]))
        for latents, row in zip(reference.latent, reference.conditions, strict=True)
    ]
    findings = shower_findings(bundle, reference, np.stack(showers), reader.grid.centres())
    return Verdict("ddml", findings)


__all__ = ["FILE", "LATENTS", "DdmlReader", "Grid", "check", "uniform_of"]
