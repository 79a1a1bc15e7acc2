"""A simulator for Geant4's example Par04, model type VAE.

Shapes: N showers, Z latents, mesh (R, phi, z). Contract: Par04OnnxInference.cc and calo.md d1
(readers/par04.py): one input [z, E / 1024000 MeV, theta / 90 degrees, 0, 1], fractions of the
energy out, R slowest and z fastest.
"""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import UsageError
from caloforge.export.bundle import Contents, generator_bytes
from caloforge.export.calorimeter import (
    conditions,
    kept,
    layers,
    numbers,
    require_energies,
    straight_reference,
)
from caloforge.export.options import Options
from caloforge.export.regridding import depth_shares, depths_mm, half_width_mm, polar_shares
from caloforge.export.tape import Output, Value, wrap
from caloforge.readers.par04 import CONDITIONS, DIFFUSION_INPUTS, ENERGY_MEV, FILE
from caloforge.simulator import Simulator

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
        told = {"E": energy, "theta": angle}
        used = {name: value for name, value in told.items() if name in simulator.detector.columns}
        return vector.columns(0, size), conditions(simulator, used)

    def after(cells: Value, vector: Value) -> Value:
        energy = kept(simulator, "E", vector.columns(size, size + 1) * GEV)
        clean = numbers(cells / energy, 1e6)
        parts = [
            (image @ flat).reshape(0, -1, 1) * depth
            for image, (flat, depth) in zip(layers(simulator, clean).values(), shares, strict=True)
        ]
        return clean.tape.apply("Sum", *parts).reshape(0, -1)

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

__all__ = ["adapt", "graph"]
