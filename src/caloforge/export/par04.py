"""Geant4's example Par04, model type VAE: writing for it, and what it does with the file.

Shapes: N showers, Z latents, mesh (R, phi, z). Contract: ``examples/extended/parameterisations/
Par04``: one input [z, E / 1024000 MeV, theta / 90 degrees, 0, 1], fractions of the energy out, R
slowest and z fastest. Par04OnnxInference.cc keeps the name of the last input only, gives it a
vector (1, K) and reads the first output flat; optimisations are off unless asked for.
Par04InferenceSetup.cc fills the vector and multiplies by the energy; cells of no more than 0.5 eV
times 1000 are dropped.
"""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from caloforge.errors import DataError, UsageError
from caloforge.export.bundle import (
    Bundle,
    Cells,
    CheckOptions,
    CheckResult,
    Contents,
    Graph,
    Options,
    ReaderFacts,
    Size,
    generator_bytes,
)
from caloforge.export.mesh import (
    Mesh,
    conditions,
    depth_shares,
    depths_mm,
    half_width_mm,
    layers,
    numbers,
    polar_shares,
    require_energies,
    shower_findings,
    straight_reference,
    within_range,
)
from caloforge.export.onnx_builder import Output, Value, wrap
from caloforge.simulator import Simulator
from caloforge.simulator.reference import Reference

FILE = "generator.onnx"
CONDITIONS = 4
"""Energy, angle and the two that tell the geometry; their number is fixed in the reader."""
DIFFUSION_INPUTS = 8
ENERGY_MEV = 1024000.0
THRESHOLD_MEV = 0.0005
MESH = (12, 16, 48)
GEV = ENERGY_MEV / 1000


def adapt(simulator: Simulator, options: Options) -> Contents:
    """One graph and the macro that uses it; UsageError for what Par04 cannot hold."""
    require_energies(simulator, "par04")
    mesh = options.mesh or MESH
    if len(mesh) != 3:
        raise UsageError("the mesh of par04 is R x phi x z, such as 12x16x48")
    inputs = simulator.latent_size + CONDITIONS
    if inputs == DIFFUSION_INPUTS:
        raise UsageError("Par04 takes 8 inputs for CaloDiT: train with --set generator.latent=10")
    radius, depth = half_width_mm(simulator.detector), float(depths_mm(simulator.detector).sum())
    sizes = {"cell_r_mm": radius / mesh[0], "cell_z_mm": depth / mesh[2]}
    facts = {"mesh": list(mesh), "latents": simulator.latent_size} | sizes
    macro = MACRO.format(file=FILE, latents=simulator.latent_size, mesh=mesh, **sizes)
    files = {FILE: graph(simulator, mesh, radius), "par04.mac": macro.encode("ascii")}
    paste = "/control/execute par04.mac"
    return Contents(files, facts, README + macro, paste, straight_reference(simulator))


def graph(simulator: Simulator, mesh: tuple[int, ...], radius_mm: float) -> bytes:
    """Latents and conditions (1, Z + 4) in, fractions out.  (1, R * phi * z)"""
    size = simulator.latent_size
    shares = mesh_shares(simulator, mesh, radius_mm)

    def before(vector: Value) -> tuple[Value, Value]:
        energy = vector.columns(size, size + 1) * GEV
        angle = vector.columns(size + 1, size + 2) * (pi / 2)
        inputs = {"E": energy, "theta": angle}
        own_inputs = {
            name: value for name, value in inputs.items() if name in simulator.detector.columns
        }
        return vector.columns(0, size), conditions(simulator, own_inputs)

    def after(cells: Value, vector: Value) -> Value:
        energy = within_range(simulator, "E", vector.columns(size, size + 1) * GEV)
        clean = numbers(cells / energy, 1e6)
        parts = [
            (image @ flat).reshape(0, -1, 1) * depth
            for image, (flat, depth) in zip(layers(simulator, clean).values(), shares, strict=True)
        ]
        return clean.builder.apply("Sum", *parts).reshape(0, -1)

    output = Output("fractions", [1, int(np.prod(mesh))])
    inputs = {"vector": [1, size + CONDITIONS]}
    return wrap(generator_bytes(simulator), inputs, output, before, after)


def mesh_shares(
    simulator: Simulator, mesh: tuple[int, ...], radius_mm: float
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Of each layer: shares in rings and sectors (cells, R * phi), and in depth (1, 1, z)."""
    rings, sectors, slices = mesh
    edges = np.linspace(0, radius_mm, rings + 1)
    depth = depth_shares(simulator.detector, slices)
    return [
        (polar_shares(layer, edges, sectors, from_y=False), depth[number].reshape(1, 1, -1))
        for number, layer in enumerate(simulator.detector.layers)
    ]


MACRO = """\
# Flags and paths first: the last line builds the session.
/Par04/inference/setSizeLatentVector {latents}
/Par04/inference/setSizeConditionVector 4
/Par04/inference/setModelPathName {file}
/Par04/inference/setSizeOfRhoCells {cell_r_mm:.6g} mm
/Par04/inference/setSizeOfZCells {cell_z_mm:.6g} mm
/Par04/inference/setNbOfRhoCells {mesh[0]}
/Par04/inference/setNbOfPhiCells {mesh[1]}
/Par04/inference/setNbOfZCells {mesh[2]}
/Par04/inference/setModelType VAE
/Par04/inference/setInferenceLibrary ONNX
"""
README = """# Par04

Activate the mesh before the inference model (`/param/ActivateModel defineMesh`, then
`inferenceModel`). Energy and angle are kept in the training range; beyond it the fractions are
those of its edge. The mesh starts at the front face. Macro:

"""


class Par04Facts(ReaderFacts):
    """The mesh of Par04 and the size of its cells."""

    mesh: tuple[Cells, Cells, Cells]
    latents: int = Field(ge=1, le=65536)
    cell_r_mm: Size
    cell_z_mm: Size


class Par04Reader:
    """A model file behind Par04's inference; DataError where it cannot be used."""

    def __init__(self, bundle: Bundle) -> None:
        facts = bundle.reader(Par04Facts)
        self.mesh, self.latents = facts.mesh, facts.latents
        self.cell_r_mm, self.cell_z_mm = facts.cell_r_mm, facts.cell_z_mm
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


def check(bundle: Bundle, options: CheckOptions) -> CheckResult:
    """Compare the energies of the stored particles with the native model's."""
    reader, reference = Par04Reader(bundle), bundle.reference()
    bundle.require_checksums()
    columns = bundle.card.detector.columns
    showers = [
        reader.energies_mev(latents, 1000 * float(row[columns.index("E")]), 90.0)
        for latents, row in zip(reference.latent, straight(bundle, reference), strict=True)
    ]
    return CheckResult(
        "par04", shower_findings(bundle, reference, np.stack(showers), reader.centres())
    )


def straight(bundle: Bundle, reference: Reference) -> NDArray[np.float32]:
    """The stored conditions; DataError unless they are those that the reader can tell."""
    theta = [n for n, name in enumerate(bundle.card.detector.columns) if name == "theta"]
    if not np.allclose(reference.conditions[:, theta], np.pi / 2, atol=0.02):
        raise DataError(f"{bundle.folder}: the stored answers are not for straight incidence")
    return reference.conditions
