"""key4hep's DDML, action RegularGridGAN...ONNXModel: writing for it, and what it does.

Shapes: N showers, Z latents, grid (layers, X, Y). Contract: ``DDML/src/RegularGridGANModel.cc`` and
``ONNXInference.cc``: inputs in the order of the graph, 100 uniform latents in (-1, 1) and the
kinetic energy in GeV, both with five dimensions; MeV out, layer slowest, then X, then Y; cells that
are not positive are dropped; optimisations are off unless asked for.
"""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.detectors.species import MEV_PER_GEV
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
    require_latents,
)
from caloforge.export.mesh import (
    Mesh,
    conditions,
    layers,
    numbers,
    overlap,
    require_energies,
    shower_findings,
    straight_reference,
    within_range,
)
from caloforge.export.onnx_builder import Output, Ports, Value, wrap
from caloforge.simulator import Simulator

FILE = "generator.onnx"
LATENTS = 100
"""Fixed in the reader."""
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
        """Showers on the mesh of the reader, in MeV.  (1, layers, across, along)"""
        energy = gev.reshape(1, 1)
        # Beyond the training range the shower of its edge is scaled to the energy that was given.
        ratio = energy / within_range(simulator, "E", energy)
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
        return clean.builder.apply("Concat", *images, axis=1)

    inputs: Ports = {"noise": [1, LATENTS, 1, 1, 1], "energy": [1, 1, 1, 1, 1]}
    output = Output("energies", [1, len(simulator.detector.layers), *grid])
    return wrap(generator_bytes(simulator), inputs, output, before, after)


def normal(uniform: Value) -> Value:
    """Normal numbers from uniform ones in (-1, 1): sqrt(2) erfinv(u).  any shape"""
    inside = uniform.at_least(-LARGEST_UNIFORM).at_most(LARGEST_UNIFORM)
    w = inside.builder.log((inside * -1.0 + 1.0) * (inside + 1.0)) * -1.0
    root = inside.builder.apply("Sqrt", w.at_least(5.0))
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


class GridFacts(ReaderFacts):
    """Properties of the reader's grid, as it names them."""

    NCellsZ: Cells
    NCellsX: Cells
    NCellsY: Cells
    CellSizeX: Size
    CellSizeY: Size


class Grid:
    """The reader's properties: cells and their size; how it places what it reads."""

    def __init__(self, bundle: Bundle) -> None:
        facts = bundle.reader(GridFacts)
        self.cells = (facts.NCellsZ, facts.NCellsX, facts.NCellsY)
        self.size_mm = (facts.CellSizeX, facts.CellSizeY)
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
        n_values = int(np.prod(self.grid.cells))
        if output.size < n_values:
            raise DataError(f"{self.graph.path} gives {output.size} values, DDML reads {n_values}")
        return self.grid.place(output)


def uniform_of(latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Uniform numbers in (-1, 1) that become these normal ones, padded to 100.  (Z,) -> (100,)"""
    uniform = np.zeros(LATENTS, dtype=np.float32)
    uniform[: len(latents)] = [erf(float(value) / sqrt(2)) for value in latents]
    return uniform


def check(bundle: Bundle, options: CheckOptions) -> CheckResult:
    """Compare the energies of the stored particles with the native model's."""
    reader, reference = DdmlReader(bundle), bundle.reference()
    bundle.require_checksums()
    column = bundle.card.detector.columns.index("E")
    showers = [
        reader.energies_mev(uniform_of(latents), float(row[column]))
        for latents, row in zip(reference.latent, reference.conditions, strict=True)
    ]
    findings = shower_findings(bundle, reference, np.stack(showers), reader.grid.centres())
    return CheckResult("ddml", findings)
