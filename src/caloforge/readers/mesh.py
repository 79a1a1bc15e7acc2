"""What can be compared between a reader's mesh and the native layers, whatever the mesh.

Shapes: n showers, K cells. Total energy and depth are kept exactly by an energy-conserving change
of mesh, and so are the halves at x > 0 and y > 0 where cells end at the axes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caloforge.readers.bundle import Bundle
from caloforge.readers.verdict import Finding, numbers_agree
from caloforge.simulator.reference import Reference

MEV_PER_GEV = 1000.0
DEPTH_MM = 1.0


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
    found = found_mev.reshape(len(found_mev), -1)
    other = Mesh(*(part.ravel() for part in mesh))
    return (
        numbers_agree("energy", found.sum(axis=1), native.sum(axis=1), tolerance=2e-3),
        depths_agree(middle(found, other.z), middle(native, places.z)),
        numbers_agree("sides", sides(found, other), sides(native, places), tolerance=0.02),
    )


def sides(cells: NDArray[np.float64], mesh: Mesh) -> NDArray[np.float64]:
    """Share of the energy at x > 0 and at y > 0; cells in the middle count half.  (n, 2)"""
    total = np.maximum(cells.sum(axis=1, keepdims=True), 1e-30)
    above = np.stack([0.5 + 0.5 * np.sign(np.round(part, 6)) for part in (mesh.x, mesh.y)], axis=1)
    shares: NDArray[np.float64] = cells @ above / total
    return shares


def middle(cells: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy-weighted mean of a coordinate; 0 for an empty shower.  (n, K), (K,) -> (n,)"""
    total = cells.sum(axis=1)
    return np.where(total > 0, cells @ place / np.where(total > 0, total, 1), 0.0)


def depths_agree(found: NDArray[np.float64], expected: NDArray[np.float64]) -> Finding:
    """Whether mean depths agree to a millimetre."""
    difference = float(np.abs(found - expected).max())
    text = f"mean depths differ by up to {difference:.2g} mm (allowed {DEPTH_MM:g})"
    return Finding("depth", difference <= DEPTH_MM, text, {"difference_mm": difference})


__all__ = ["Mesh", "native_mesh", "shower_findings", "sides"]
