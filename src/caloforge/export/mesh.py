"""Meshes of calorimeter readers: energy moves between cells and every sum is kept.

Shapes: N showers, C conditions, K cells. x is axis 0 of a layer, y axis 1; layers follow each other
in depth. A cell's energy is spread evenly over its area and depth; what lies beyond the outermost
ring goes into it. These readers tell the energy, Par04 also a polar angle; none tells the impact
point. What is not told is that of perpendicular incidence at the middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector, Layer
from caloforge.detectors.species import MEV_PER_GEV
from caloforge.errors import UsageError
from caloforge.export.bundle import Bundle, Finding, numbers_agree
from caloforge.simulator import Simulator
from caloforge.simulator.reference import Reference

if TYPE_CHECKING:
    from caloforge.export.onnx_builder import Value

STRAIGHT = {"theta": pi / 2, "phi": 0.0, "polar": 0.0, "azimuth": 0.0, "x0": 0.0, "y0": 0.0}
"""Perpendicular incidence at the middle, by whichever angles."""
STEP_MM = 1.0
"""Spacing of the points by which a cell's area is shared among rings and sectors."""
DEPTH_MM = 1.0
"""By which mean depths may differ."""


def require_energies(simulator: Simulator, reader: str) -> None:
    """Raise UsageError for a simulator that a reader of calorimeter energies cannot hold."""
    detector = simulator.detector
    unknown = set(detector.columns) - {"E", *STRAIGHT}
    if detector.unit != "GeV" or "E" not in detector.columns or unknown:
        raise UsageError(
            f"{reader} holds energies of a segmented calorimeter, not the {detector.quantity} of "
            f"{detector.name}: export it for o2 or triton"
        )
    if any(layer.ring_edges_mm for layer in detector.layers):
        raise UsageError(
            f"{reader} takes cells in x and y, {detector.name} has rings: export it for triton"
        )


def conditions(simulator: Simulator, inputs: Mapping[str, Value]) -> Value:
    """Physical conditions, each kept in its training range.  (N, 1) each -> (N, C)

    Readers call at any energy; a generator must not be asked for what it has never seen.
    """
    (energy, *_) = inputs.values()
    columns = [
        within_range(simulator, name, inputs.get(name, energy * 0.0 + STRAIGHT.get(name, 0.0)))
        for name in simulator.detector.columns
    ]
    return energy.builder.apply("Concat", *columns, axis=1)


def within_range(simulator: Simulator, name: str, value: Value) -> Value:
    """A condition inside its training range."""
    low, high = simulator.card.training_ranges[name]
    return value.at_least(low).at_most(high)


def numbers(cells: Value, largest: float) -> Value:
    """Cells without negative, absurd or undefined values.  (N, K) -> (N, K)"""
    return cells.where(cells < largest, 0.0).at_least(0.0)


def layers(simulator: Simulator, cells: Value) -> dict[str, Value]:
    """Images of the layers, flat.  (N, K) -> {layer: (N, cells)}"""
    detector = simulator.detector
    starts = detector.offsets()
    return {
        layer.name: cells.columns(start, start + layer.cells)
        for layer, start in zip(detector.layers, starts, strict=False)
    }


def straight_reference(simulator: Simulator) -> Reference:
    """The native model's answers for the stored latents and energies, coming straight in."""
    reference, columns = simulator.reference, simulator.detector.columns
    conditions_straight: NDArray[Any] = reference.conditions.copy()
    for number, name in enumerate(columns):
        low, high = simulator.card.training_ranges[name]
        conditions_straight[:, number] = np.clip(
            STRAIGHT.get(name, conditions_straight[:, number]), low, high
        )
    return Reference(
        reference.latent,
        conditions_straight,
        simulator.expected(reference.latent, conditions_straight),
    )


def overlap(cells: int, width_mm: float, others: int, other_width_mm: float) -> NDArray[np.float64]:
    """Share of each centred interval that lies in each centred other one.  (cells, others)

    Raises UsageError when the others do not cover the cells.
    """
    if others * other_width_mm < cells * width_mm * (1 - 1e-9):
        raise UsageError(
            f"a mesh of {others} x {other_width_mm:g} mm does not cover {cells} x {width_mm:g} mm"
        )
    edges = (np.arange(cells + 1) - cells / 2) * width_mm
    other_edges = (np.arange(others + 1) - others / 2) * other_width_mm
    low = np.maximum(edges[:-1, None], other_edges[None, :-1])
    high = np.minimum(edges[1:, None], other_edges[None, 1:])
    return np.clip(high - low, 0, None) / width_mm


def polar_shares(
    layer: Layer, edges_mm: NDArray[np.float64], sectors: int, *, from_y: bool
) -> NDArray[np.float64]:
    """Share of each cell in each ring and sector, rings outer.  (cells, rings * sectors)

    Sectors start at -pi and turn from the x axis to the y axis, or from y to x if ``from_y``.
    """
    x, y, cell = area_points(layer)
    ring = np.clip(np.digitize(np.hypot(x, y), edges_mm) - 1, 0, len(edges_mm) - 2)
    angle = np.arctan2(x, y) if from_y else np.arctan2(y, x)
    sector = np.floor((angle + np.pi) / (2 * np.pi) * sectors).astype(int) % sectors
    size = (len(edges_mm) - 1) * sectors
    counts = np.bincount(cell * size + ring * sectors + sector, minlength=layer.cells * size)
    shares = counts.reshape(layer.cells, size).astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def area_points(
    layer: Layer,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Points that fill a layer evenly: x, y in mm from its middle, and the flat cell of each."""
    axes, cells = [], []
    for number, width in zip(layer.shape, layer.cell_mm, strict=True):
        a_cell = max(2, round(width / STEP_MM))
        a_cell += a_cell % 2
        fine = number * a_cell
        axes.append((np.arange(fine) + 0.5 - fine / 2) * width / a_cell)
        cells.append(np.arange(fine) // a_cell)
    x, y = np.meshgrid(*axes, indexing="ij")
    column, row = np.meshgrid(*cells, indexing="ij")
    return x.ravel(), y.ravel(), (column * layer.shape[1] + row).ravel()


def depth_shares(detector: Detector, slices: int) -> NDArray[np.float64]:
    """Share of each layer in each of equally thick slices.  (layers, slices)"""
    edges = np.concatenate([[0.0], np.cumsum(depths_mm(detector))])
    other = np.linspace(0, edges[-1], slices + 1)
    low = np.maximum(edges[:-1, None], other[None, :-1])
    high = np.minimum(edges[1:, None], other[None, 1:])
    return np.clip(high - low, 0, None) / np.diff(edges)[:, None]


def depths_mm(detector: Detector) -> NDArray[np.float64]:
    """Thickness of each layer.  (layers,)"""
    depths = [layer.depth_mm for layer in detector.layers]
    if None in depths:
        raise UsageError(f"{detector.name} does not say how thick its layers are")
    return np.array(depths, dtype=np.float64)


def half_width_mm(detector: Detector) -> float:
    """Half the largest extent of a layer."""
    return (
        max(
            n * mm
            for layer in detector.layers
            for n, mm in zip(layer.shape, layer.cell_mm, strict=True)
        )
        / 2
    )


class Mesh(NamedTuple):
    """Cell centres in mm from the middle of the front face, in the shape of the mesh."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]


def native_mesh(bundle: Bundle) -> Mesh:
    """Cell centres of the detector's layers.  (K,) each"""
    x, y, z, front = [], [], [], 0.0
    for layer in bundle.card.detector.layers:
        across, along = np.meshgrid(layer.centres_mm(0), layer.centres_mm(1), indexing="ij")
        depth = layer.depth_mm or 0.0
        x.append(across.ravel())
        y.append(along.ravel())
        z.append(np.full(layer.cells, front + depth / 2))
        front += depth
    return Mesh(np.concatenate(x), np.concatenate(y), np.concatenate(z))


def shower_findings(
    bundle: Bundle, reference: Reference, found_mev: NDArray[np.float64], mesh: Mesh
) -> tuple[Finding, ...]:
    """Total, depth and middle of showers on a mesh against the native ones.  (n, *mesh)"""
    native, places = reference.response.astype(np.float64) * MEV_PER_GEV, native_mesh(bundle)
    cells = found_mev.reshape(len(found_mev), -1)
    other = Mesh(*(part.ravel() for part in mesh))
    return (
        numbers_agree("energy", cells.sum(axis=1), native.sum(axis=1), tolerance=2e-3),
        depths_agree(middle(cells, other.z), middle(native, places.z)),
        numbers_agree("sides", sides(cells, other), sides(native, places), tolerance=0.02),
    )


def sides(cells: NDArray[np.float64], mesh: Mesh) -> NDArray[np.float64]:
    """Share of the energy at x > 0 and at y > 0; cells in the middle count half.  (n, 2)"""
    total = np.maximum(cells.sum(axis=1, keepdims=True), 1e-30)
    above = np.stack([0.5 + 0.5 * np.sign(np.round(part, 6)) for part in (mesh.x, mesh.y)], axis=1)
    return cells @ above / total


def middle(cells: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy-weighted mean of a coordinate; 0 for an empty shower.  (n, K), (K,) -> (n,)"""
    total = cells.sum(axis=1)
    return np.where(total > 0, cells @ place / np.where(total > 0, total, 1), 0.0)


def depths_agree(observed: NDArray[np.float64], expected: NDArray[np.float64]) -> Finding:
    """Whether mean depths agree to a millimetre."""
    difference = float(np.abs(observed - expected).max())
    text = f"mean depths differ by up to {difference:.2g} mm (allowed {DEPTH_MM:g})"
    return Finding("depth", difference <= DEPTH_MM, text, {"difference_mm": difference})
