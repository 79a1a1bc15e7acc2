"""A simulator for key4hep's DDML, action RegularGridGAN...ONNXModel.

Shapes: N showers, Z latents, grid (layers, X, Y). Contract: RegularGridGANModel.cc and calo.md d3
(readers/ddml.py): uniform latents (1, 100, 1, 1, 1) and the energy in GeV (1, 1, 1, 1, 1) in, MeV
out, layer slowest, then X, then Y.
"""

from __future__ import annotations

from math import sqrt

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.export.bundle import Contents, generator_bytes, require_latents
from caloforge.export.calorimeter import (
    MEV_PER_GEV,
    conditions,
    kept,
    layers,
    numbers,
    require_energies,
    straight_reference,
)
from caloforge.export.options import Options
from caloforge.export.regridding import overlap
from caloforge.export.tape import Output, Ports, Value, wrap
from caloforge.readers.ddml import FILE, LATENTS
from caloforge.simulator import Simulator

CENTRE = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
TAIL = (
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773),
    *(-0.0076224613, 0.00943887047, 1.00167406, 2.83297682),
)
"""Polynomials of the inverse error function, highest power first: Giles, Approximating the erfinv
function (GPU Computing Gems, 2011), single precision. ONNX has Erf, but not its inverse."""
LARGEST_UNIFORM = 1 - 2.0**-23


def adapt(simulator: Simulator, options: Options) -> Contents:
    """One graph and the properties of the action; UsageError for what the grid cannot hold."""
    require_energies(simulator, "ddml")
    require_latents(simulator, LATENTS, "DDML")
    grid = options.mesh or finest_grid(simulator.detector)
    if len(grid) != 2 or any(cells % 2 for cells in grid):
        raise UsageError("the grid of ddml is X x Y, both even, such as 12x96: DDML centres it so")
    facts = grid_facts(simulator.detector, grid)
    properties = ", ".join(f"{name}={value:g}" for name, value in facts.items())
    paste = f"ModelPath={FILE}, LatentVectorSize={LATENTS}, {properties}"
    contents = {FILE: graph(simulator, grid)}
    return Contents(contents, facts, README + paste + "\n", paste, straight_reference(simulator))


def grid_facts(detector: Detector, grid: tuple[int, ...]) -> dict[str, float]:
    """Properties of the reader's grid, in mm."""
    widths = [
        max(layer.shape[axis] * layer.cell_mm[axis] for layer in detector.layers) / grid[axis]
        for axis in (0, 1)
    ]
    names = ("NCellsX", "NCellsY", "NCellsZ", "CellSizeX", "CellSizeY")
    return dict(zip(names, (*grid, len(detector.layers), *widths), strict=True))


def finest_grid(detector: Detector) -> tuple[int, int]:
    """The finest cells of any layer, along each axis."""
    x, y = (max(layer.shape[axis] for layer in detector.layers) for axis in (0, 1))
    return x, y


def graph(simulator: Simulator, grid: tuple[int, ...]) -> bytes:
    """Uniform latents and GeV in, MeV of the grid out.  (1, layers, X, Y)"""
    facts = grid_facts(simulator.detector, grid)
    widths = (facts["CellSizeX"], facts["CellSizeY"])

    def before(uniform: Value, gev: Value) -> tuple[Value, Value]:
        latents = normal(uniform.reshape(1, LATENTS).columns(0, simulator.latent_size))
        return latents, conditions(simulator, {"E": gev.reshape(1, 1)})

    def after(cells: Value, _: Value, gev: Value) -> Value:
        given = gev.reshape(1, 1)
        # Beyond the training range the shower of its edge is scaled to the energy that was given.
        ratio = given / kept(simulator, "E", given)
        clean = numbers(cells, 1e6) * ratio.at_least(0.0) * MEV_PER_GEV
        images = []
        for layer, image in zip(
            simulator.detector.layers, layers(simulator, clean).values(), strict=True
        ):
            across, along = (
                overlap(layer.shape[axis], layer.cell_mm[axis], grid[axis], widths[axis])
                for axis in (0, 1)
            )
            folded = image.reshape(1, *layer.shape) @ along
            images.append((across.T @ folded).reshape(1, 1, *grid))
        return clean.tape.apply("Concat", *images, axis=1)

    inputs: Ports = {"noise": [1, LATENTS, 1, 1, 1], "energy": [1, 1, 1, 1, 1]}
    output = Output("energies", [1, len(simulator.detector.layers), *grid])
    return wrap(generator_bytes(simulator), inputs, output, before, after)


def normal(uniform: Value) -> Value:
    """Normal numbers from uniform ones in (-1, 1): sqrt(2) erfinv(u).  any shape"""
    inside = uniform.at_least(-LARGEST_UNIFORM).at_most(LARGEST_UNIFORM)
    w = inside.tape.log((inside * -1.0 + 1.0) * (inside + 1.0)) * -1.0
    root = inside.tape.apply("Sqrt", w.at_least(5.0))
    inverse = polynomial(CENTRE, w - 2.5).where(w < 5.0, polynomial(TAIL, root - 3.0))
    return inverse * inside * sqrt(2)


def polynomial(powers: tuple[float, ...], at: Value) -> Value:
    """Horner's scheme, highest power first.  any shape"""
    value = at * powers[0] + powers[1]
    for power in powers[2:]:
        value = value * at + power
    return value


README = """# DDML, RegularGridGANPolyhedraBarrelONNXModel

The reader draws uniform latents; the graph makes them normal. It tells the energy only: showers are
those of perpendicular incidence at the middle. Properties:

"""

__all__ = ["adapt", "finest_grid", "graph", "grid_facts", "normal"]
