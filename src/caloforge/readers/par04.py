"""What Geant4's example Par04 does with an ONNX file of model type VAE.

Shapes: mesh (R, phi, z). Contract: ``examples/extended/parameterisations/Par04`` (calo.md d1):
Par04OnnxInference.cc keeps the name of the last input only, gives it a vector (1, K) and reads the
first output flat; optimisations are off unless asked for. Par04InferenceSetup.cc fills the vector
and multiplies by the energy; cells of no more than 0.5 eV times 1000 are dropped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.readers.bundle import Bundle
from caloforge.readers.graphs import Graph
from caloforge.readers.how import How
from caloforge.readers.mesh import Mesh, shower_findings
from caloforge.readers.verdict import Verdict
from caloforge.simulator.reference import Reference

FILE = "generator.onnx"
CONDITIONS = 4
"""Energy, angle and the two that tell the geometry; their number is fixed in the reader."""
DIFFUSION_INPUTS = 8
ENERGY_MEV = 1024000.0
THRESHOLD_MEV = 0.0005


class Par04Reader:
    """A model file behind Par04's inference; DataError where it cannot be used."""

    def __init__(self, bundle: Bundle) -> None:
        facts = bundle.card.reader
        self.mesh = tuple(int(size) for size in facts["mesh"])
        self.latents = int(facts["latents"])
        self.cell_r_mm, self.cell_z_mm = float(facts["cell_r_mm"]), float(facts["cell_z_mm"])
        self.graph = Graph(bundle.file(FILE), optimise=False)
        self.graph.require_float32()
        if len(self.graph.inputs) != 1:
            raise DataError(f"{bundle.folder}: Par04 gives one input, not {len(self.graph.inputs)}")
        self.graph.require_inputs((1, self.latents + CONDITIONS))

    def energies_mev(
        self, latents: NDArray[np.float32], energy_mev: float, theta_degrees: float
    ) -> NDArray[np.float64]:
        """Deposits of one particle.  (Z,) -> (R, phi, z)"""
        conditions = [energy_mev / ENERGY_MEV, theta_degrees / 90, 0, 1]
        vector = np.concatenate([latents, conditions]).astype(np.float32)
        values = self.graph.run(vector.reshape(1, -1)).ravel()
        size = int(np.prod(self.mesh))
        if values.size < size:
            raise DataError(f"{self.graph.path} gives {values.size} values, Par04 reads {size}")
        deposits = values[:size].astype(np.float64) * energy_mev
        return np.where(deposits > THRESHOLD_MEV, deposits, 0.0).reshape(self.mesh)

    def centres(self) -> Mesh:
        """Where the cells are: R from the axis, phi from -pi, z from the front face."""
        rings, sectors, slices = self.mesh
        radius = (np.arange(rings) + 0.5) * self.cell_r_mm
        angle = (np.arange(sectors) + 0.5) * 2 * np.pi / sectors - np.pi
        depth = (np.arange(slices) + 0.5) * self.cell_z_mm
        grid = np.meshgrid(radius, angle, depth, indexing="ij")
        return Mesh(grid[0] * np.cos(grid[1]), grid[0] * np.sin(grid[1]), grid[2])


def check(bundle: Bundle, how: How) -> Verdict:
    """Compare the energies of the stored particles with the native model's."""
    del how
    reader, reference = Par04Reader(bundle), bundle.reference()
    bundle.require_checksums()
    columns = bundle.card.detector.columns
    showers = [
        reader.energies_mev(latents, 1000 * float(row[columns.index("E")]), 90.0)
        for latents, row in zip(reference.latent, straight(bundle, reference), strict=True)
    ]
    return Verdict("par04", shower_findings(bundle, reference, np.stack(showers), reader.centres()))


def straight(bundle: Bundle, reference: Reference) -> NDArray[np.float32]:
    """The stored conditions; DataError unless they are those that the reader can tell."""
    theta = [n for n, name in enumerate(bundle.card.detector.columns) if name == "theta"]
    if not np.allclose(reference.conditions[:, theta], np.pi / 2, atol=0.02):
        raise DataError(f"{bundle.folder}: the stored answers are not for straight incidence")
    return reference.conditions


__all__ = ["CONDITIONS", "DIFFUSION_INPUTS", "ENERGY_MEV", "FILE", "Par04Reader", "check"]
