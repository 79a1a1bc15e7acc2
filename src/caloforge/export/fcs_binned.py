"""FastCaloSim, binned showers (since June 2026): one network for all energies, bin edges in HDF5.

Shapes: N showers, Z latents, V voxels. Contract: fcs-proj/FastCaloSim ``source/Core``:
TFCSMLCalorimeterSimulator.cxx (inputs ``inn_eta_in`` = 10 |eta|, ``inn_einc_in`` in MeV,
``cfm_z_shape`` and ``inn_z_energy`` from N(0, 1); MeV a voxel by its number, layer after layer;
voxels that are not positive are skipped), TFCSBinnedShowerONNX.cxx (``binstart_radius_layer_N`` and
so on of each voxel; fractions of the energy below float32's epsilon make no hit) and
TFCSBinnedShowerBase.cxx (r cos(alpha) along eta, r sin(alpha) along phi). Numbers of voxels are
those of the reader: it has no way to set others.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.detectors.species import MEV_PER_GEV
from caloforge.errors import DataError, UsageError
from caloforge.export.bundle import (
    Bundle,
    CheckOptions,
    CheckResult,
    Contents,
    Graph,
    Options,
    generator_bytes,
    numbers_agree,
    require_latents,
)
from caloforge.export.fcs import ring_edges
from caloforge.export.mesh import (
    Mesh,
    conditions,
    half_width_mm,
    layers,
    native_mesh,
    numbers,
    polar_shares,
    require_energies,
    sides,
    straight_reference,
    within_range,
)
from caloforge.export.onnx_builder import Output, Value, wrap
from caloforge.io.arrays import open_arrays
from caloforge.simulator import Simulator

FILE, BINNING = "generator.onnx", "binning.h5"
VOXELS = {0: 36, 1: 164, 2: 110, 3: 36, 12: 36}
"""Voxels of the layers that the reader takes: presampler, three of the barrel, tiles."""
BINS = {1: (20, 8), 2: (13, 8), 3: (9, 4)}
"""Rings and sectors of the layers that ours stand for; what is left of VOXELS stays dark.

A multiple of four sectors, so that none lies on both sides of the middle.
"""
EDGES = ("binstart_radius", "binsize_radius", "binstart_alpha", "binsize_alpha")
INPUTS = {"inn_eta_in": 1, "inn_einc_in": 1, "cfm_z_shape": 382, "inn_z_energy": 5}
"""Numbers that the reader gives under each name."""
EPSILON = float(np.finfo(np.float32).eps)
README = """# FastCaloSim, binned showers

    TFCSBinnedShowerONNX shower;
    shower.load_simulator("generator.onnx");
    std::vector<long unsigned int> layers = {0, 1, 2, 3, 12};
    shower.load_meta_data("binning.h5", layers);

Layers 1 to 3 stand for the three layers of the detector, 0 and 12 stay dark. Showers are those of
perpendicular incidence: the network does not use eta. Energies outside the training range get the
scaled shower of its edge.
"""


def adapt(simulator: Simulator, options: Options) -> Contents:
    """Network and bin edges; UsageError for what the reader cannot hold."""
    require_energies(simulator, "fcs-binned")
    if options.mesh:
        raise UsageError("fcs-binned has voxels of its own: leave --mesh out")
    require_latents(simulator, INPUTS["cfm_z_shape"], "fcs-binned")
    if len(simulator.detector.layers) != len(BINS):
        count = len(simulator.detector.layers)
        raise UsageError(f"fcs-binned has {len(BINS)} layers, {simulator.detector.name} {count}")
    radius_mm = half_width_mm(simulator.detector)
    files = {FILE: graph(simulator, radius_mm), BINNING: binning(radius_mm)}
    paste = f'load_simulator("{FILE}"); load_meta_data("{BINNING}", layers)'
    return Contents(files, {}, README, paste, straight_reference(simulator))


def graph(simulator: Simulator, radius_mm: float) -> bytes:
    """The reader's inputs in, MeV of its voxels out.  (1, V)"""
    shares = [
        polar_shares(layer, ring_edges(rings, radius_mm), sectors, from_y=True)
        for layer, (rings, sectors) in zip(simulator.detector.layers, BINS.values(), strict=True)
    ]

    def before(_: Value, energy: Value, noise: Value, __: Value) -> tuple[Value, Value]:
        gev = energy * (1 / MEV_PER_GEV)
        return noise.columns(0, simulator.latent_size), conditions(simulator, {"E": gev})

    def after(cells: Value, _: Value, energy: Value, *__: Value) -> Value:
        gev = energy * (1 / MEV_PER_GEV)
        images = layers(simulator, numbers(cells / within_range(simulator, "E", gev), 1e6))
        lit = dict(zip(BINS, zip(images.values(), shares, strict=True), strict=True))
        parts = []
        for layer, size in VOXELS.items():
            image, share = lit.get(layer, (next(iter(images.values())), np.zeros((0, 0))))
            parts.append(image @ _padded(share, simulator.detector.layers[0].cells, size))
        return energy.builder.apply("Concat", *parts, axis=1) * energy

    inputs = {name: [1, size] for name, size in INPUTS.items()}
    output = Output("voxels", [1, sum(VOXELS.values())])
    return wrap(generator_bytes(simulator), inputs, output, before, after)


def _padded(share: NDArray[np.float64], cells: int, size: int) -> NDArray[np.float64]:
    """Shares with dark voxels behind them; all dark where there are none.  (cells, size)"""
    rows = len(share) or cells
    padded = np.zeros((rows, size))
    padded[: len(share), : share.shape[1]] = share
    return padded


def binning(radius_mm: float) -> bytes:
    """An HDF5 file of the edges of every voxel, by layer."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for layer, size in VOXELS.items():
            for name, values in zip(EDGES, _edges(layer, size, radius_mm), strict=True):
                file[f"{name}_layer_{layer}"] = values.astype(np.float32)
    return buffer.getvalue()


def _edges(layer: int, size: int, radius_mm: float) -> NDArray[np.float64]:
    """Starts and sizes of radius and alpha; dark voxels are empty.  (4, size)"""
    edges = np.zeros((len(EDGES), size))
    if layer in BINS:
        rings, sectors = BINS[layer]
        radii = ring_edges(rings, radius_mm)
        ring, sector = np.divmod(np.arange(rings * sectors), sectors)
        width = 2 * np.pi / sectors
        starts = radii[ring], np.diff(radii)[ring], sector * width - np.pi, 0 * sector + width
        edges[:, : len(ring)] = starts
    return edges


@dataclass(frozen=True)
class Hits:
    """Voxels of one layer that get hits, by number.  (v,) each"""

    voxel: NDArray[np.int64]
    energy_mev: NDArray[np.float64]
    lost_mev: float
    """In voxels with less than EPSILON of the energy, for which the reader makes no hit."""


class BinnedReader:
    """Network and bins of a folder; DataError where FastCaloSim could not use them."""

    def __init__(self, bundle: Bundle) -> None:
        self.graph = Graph(bundle.file(FILE))
        self.graph.require_float32()
        sizes = {port.name: _size(port.shape) for port in self.graph.inputs}
        if sizes != INPUTS:
            raise DataError(f"{self.graph.path} takes {sizes}, FastCaloSim gives {INPUTS}")
        voxels = sum(_size(port.shape) for port in self.graph.outputs)
        if voxels != (expected := sum(VOXELS.values())):
            raise DataError(
                f"{self.graph.path} gives {voxels} voxels, FastCaloSim reads {expected}"
            )
        self.edges = _read_edges(bundle)

    def hits(self, eta: float, energy_mev: float, noise: NDArray[np.float32]) -> dict[int, Hits]:
        """Voxels with hits of one particle.  (Z,) -> {layer: hits}

        Raises:
            DataError: the network gives NaN, for which the reader would try again and give up.
        """
        shape = np.zeros(INPUTS["cfm_z_shape"])
        shape[: len(noise)] = noise
        feeds = {"inn_eta_in": [10 * abs(eta)], "inn_einc_in": [energy_mev], "cfm_z_shape": shape}
        feeds["inn_z_energy"] = np.zeros(INPUTS["inn_z_energy"])
        feed = [
            np.asarray(feeds[port.name], np.float32).reshape(1, -1) for port in self.graph.inputs
        ]
        voxels = self.graph.run(*feed).ravel().astype(np.float64)
        if np.isnan(voxels).any():
            raise DataError(f"{self.graph.path} gives NaN at {energy_mev:g} MeV")
        hits, start = {}, 0
        for layer, size in VOXELS.items():
            part = voxels[start : start + size]
            (lit,) = np.nonzero(part / energy_mev > EPSILON)
            hits[layer] = Hits(lit, part[lit], float(part[part > 0].sum() - part[lit].sum()))
            start += size
        return hits

    def places(self, layer: int, hits: Hits) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Middle of the voxels along phi (our x) and eta (our y), in mm.  (v,), (v,)"""
        start_r, size_r, start_alpha, size_alpha = self.edges[layer][:, hits.voxel]
        r, alpha = start_r + size_r / 2, start_alpha + size_alpha / 2
        return r * np.sin(alpha), r * np.cos(alpha)


def _size(shape: tuple[int, ...]) -> int:
    """Numbers that a port takes; the reader takes symbolic sizes for 1."""
    return int(np.prod([abs(size) for size in shape]))


def _read_edges(bundle: Bundle) -> dict[int, NDArray[np.float64]]:
    """Starts and sizes of all voxels.  {layer: (4, voxels)}"""
    edges = {}
    with open_arrays(bundle.file(BINNING)) as file:
        for layer, size in VOXELS.items():
            rows = [file.floats(f"{name}_layer_{layer}") for name in EDGES]
            if {len(row) for row in rows} != {size}:
                raise DataError(f"{file.path}: layer {layer} has not the edges of {size} voxels")
            edges[layer] = np.stack(rows)
    return edges


def check(bundle: Bundle, options: CheckOptions) -> CheckResult:
    """Compare the layers' energies and the middle of the showers with the native model's."""
    reader, reference = BinnedReader(bundle), bundle.reference()
    bundle.require_checksums()
    detector = bundle.card.detector
    energies = MEV_PER_GEV * reference.conditions[:, detector.columns.index("E")].astype(np.float64)
    showers = [
        reader.hits(0.2, energy, latents)
        for latents, energy in zip(reference.latent, energies, strict=True)
    ]
    native = reference.response.astype(np.float64) * MEV_PER_GEV
    sums = np.stack([image.sum(axis=(1, 2)) for image in detector.split(native).values()], axis=1)
    totals_mev = np.array(
        [[shower[n].energy_mev.sum() + shower[n].lost_mev for n in BINS] for shower in showers]
    )
    middles = np.array([_sides(reader, shower) for shower in showers])
    return CheckResult(
        "fcs-binned",
        (
            numbers_agree("energy of layers", totals_mev, sums, tolerance=2e-3),
            numbers_agree(
                "sides of the shower", middles, sides(native, native_mesh(bundle)), tolerance=0.02
            ),
        ),
    )


def _sides(reader: BinnedReader, shower: dict[int, Hits]) -> NDArray[np.float64]:
    """Share of the energy at phi and eta above the middle.  (2,)"""
    places = [reader.places(layer, hits) for layer, hits in shower.items()]
    x, y = (np.concatenate(axis) for axis in zip(*places, strict=True))
    energy = np.concatenate([hits.energy_mev for hits in shower.values()])
    return sides(energy[None], Mesh(x, y, np.zeros(1)))[0]
