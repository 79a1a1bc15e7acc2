"""FastCaloSim, GAN version 2: one network an energy range and binning.xml, and how it uses them.

Shapes: N showers, Z latents, V voxels (layer, r outer, alpha inner). Contract: fcs-proj/FastCaloSim
``source/Core``: TFCSGANEtaSlice.cxx (files by particle, energy ranges, ``Noise`` N(0.5, 0.5),
``mycond``), TFCSONNXHandler.cxx (inputs by name, one type, sizes of 1 for symbolic ones, the output
numbered from 0), TFCSGANXMLParameters.cxx (binning.xml) and TFCSEnergyAndHitGANV2.cxx (fractions of
the kinetic energy by layer, rings outer, alpha inner; a sum below 0 is rejected, cells that are not
positive are skipped). Alpha turns from eta (our y) to phi (our x).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import log, sqrt
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from caloforge.detectors.species import MEV_PER_GEV, SPECIES
from caloforge.documents import read_bytes
from caloforge.errors import DataError, UsageError
from caloforge.export.bundle import (
    Bundle,
    CheckOptions,
    CheckResult,
    Contents,
    Finding,
    Graph,
    Options,
    ReaderFacts,
    generator_bytes,
    numbers_agree,
)
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
from caloforge.simulator import Simulator

BINNING = "binning.xml"
CONDITIONS = 2
CORRECTED_SECTORS = 32
"""With this number of sectors the reader merges some of them."""
SPLIT_MEV = 4096.0
"""Momentum above which photons and electrons use the network of high energies."""


@dataclass(frozen=True)
class Range:
    """A network's name and the kinetic energies between which its condition runs from 0 to 1."""

    name: str
    lowest_mev: float
    highest_mev: float


def kinetic_range(name: str, particle: int, powers: tuple[int, int]) -> Range:
    """A range of momenta, given as powers of two in MeV, as kinetic energies."""
    mass = SPECIES[particle].mass_mev
    low, high = (sqrt(4.0**power + mass**2) - mass for power in powers)
    return Range(name, low, high)


NETWORKS = {
    22: (kinetic_range("UltraLow12", 22, (6, 12)), kinetic_range("High12", 22, (12, 22))),
    11: (kinetic_range("UltraLow12", 11, (6, 12)), kinetic_range("High12", 11, (12, 22))),
    211: (kinetic_range("All", 211, (8, 22)),),
    2212: (kinetic_range("High10", 2212, (10, 22)),),
}
MESH = (16, 16)
FIRST_RING_MM = 5.0
FIRST_LAYER = 1
"""Layers 1 to 3 of the barrel: strips, middle, back."""
ETA = (20, 25)


def adapt(simulator: Simulator, options: Options) -> Contents:
    """Networks of all energy ranges of a particle; UsageError for what the reader cannot hold."""
    require_energies(simulator, "fcs-ganv2")
    mesh = options.mesh or MESH
    particle = particle_of(simulator, options.particle)
    if len(mesh) != 2 or mesh[0] < 2 or mesh[1] == CORRECTED_SECTORS:
        raise UsageError(
            "the mesh of fcs-ganv2 is r x alpha, at least two rings and not 32 sectors"
        )
    edges = ring_edges(mesh[0], half_width_mm(simulator.detector))
    files = {
        network_file(particle, ETA, span.name): graph(simulator, span, edges, mesh[1])
        for span in NETWORKS[particle]
    }
    files[BINNING] = binning(simulator, particle, edges, mesh[1]).encode("ascii")
    facts = {"pid": particle, "eta": list(ETA)}
    paste = f"initializeNetwork({particle}, {ETA[0]}, folder)"
    return Contents(files, facts, README, paste, straight_reference(simulator))


def particle_of(simulator: Simulator, pdg: int | None) -> int:
    """FastCaloSim's number of the particle that was trained on: PDG numbers without a sign.

    Raises UsageError where the card names several, or FastCaloSim has none.
    """
    species = {abs(number) for number in simulator.card.species}
    names = ", ".join(map(str, simulator.card.species)) or "no particle"
    if pdg is not None:
        species = {abs(pdg)}
    if len(species) != 1:
        raise UsageError(f"the card of {simulator.folder} names {names}: choose one with --pdg")
    (particle,) = species
    if particle not in NETWORKS:
        numbers = ", ".join(map(str, NETWORKS))
        raise UsageError(f"fcs-ganv2 has no particle {particle}; it has {numbers}")
    return particle


def ring_edges(rings: int, radius_mm: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Rings that grow outwards in equal ratios.  (rings + 1,)"""
    return np.round(np.concatenate([[0.0], np.geomspace(FIRST_RING_MM, radius_mm, rings)]), 3)


def graph(simulator: Simulator, span: Range, edges: object, sectors: int) -> bytes:
    """Noise (1, Z) and the energy's place in a range (1, 2) in, fractions out.  (1, V)"""
    size, rings = simulator.latent_size, np.asarray(edges, dtype=np.float64)
    shares = [
        polar_shares(layer, rings, sectors, from_y=True) for layer in simulator.detector.layers
    ]

    def gev(vector: Value) -> Value:
        place = vector.columns(0, 1)
        growth = log(span.highest_mev / span.lowest_mev)
        return place.builder.apply("Exp", place * growth) * (span.lowest_mev / MEV_PER_GEV)

    def before(noise: Value, vector: Value) -> tuple[Value, Value]:
        return (noise - 0.5) / 0.5, conditions(simulator, {"E": gev(vector)})

    def after(cells: Value, _: Value, vector: Value) -> Value:
        clean = numbers(cells / within_range(simulator, "E", gev(vector)), 1e6)
        images = layers(simulator, clean).values()
        parts = [image @ share for image, share in zip(images, shares, strict=True)]
        return clean.builder.apply("Concat", *parts, axis=1)

    voxels = len(shares) * (len(rings) - 1) * sectors
    inputs = {"Noise": [1, size], "mycond": [1, CONDITIONS]}
    return wrap(generator_bytes(simulator), inputs, Output("voxels", [1, voxels]), before, after)


def binning(simulator: Simulator, particle: int, edges: object, sectors: int) -> str:
    """The XML that tells FastCaloSim the voxels; hadrons are described under 211."""
    radii = ",".join(f"{edge:g}" for edge in np.asarray(edges))
    rows = "".join(
        f'      <Layer id="{FIRST_LAYER + number}" r_edges="{radii}" n_bin_alpha="{sectors}"/>\n'
        for number in range(len(simulator.detector.layers))
    )
    particle_type = particle if particle in (11, 22) else 211
    return XML.format(
        pid=particle_type, latents=simulator.latent_size, low=ETA[0], high=ETA[1], layers=rows
    )


XML = """<?xml version="1.0"?>
<Bins>
  <Particle pid="{pid}" latentDim="{latents}" symmetriseAlpha="false">
    <Bin etaMin="{low}" etaMax="{high}" regionId="1" ganVersion="2">
{layers}    </Bin>
  </Particle>
</Bins>
"""
README = """# FastCaloSim, GAN version 2

`initializeNetwork(pid, 20, folder)` reads these files. FastCaloSim also opens `rootFiles/` of
FastCaloGAN (mean radii and extrapolation weights), which come with its own samples, not from here.
Layers 1 to 3 stand for the three layers of the detector.
"""


@dataclass(frozen=True)
class Voxels:
    """Rings and sectors of one layer."""

    layer: int
    edges_mm: NDArray[np.float64]
    sectors: int

    @property
    def size(self) -> int:
        """Number of voxels."""
        return (len(self.edges_mm) - 1) * self.sectors


class FcsFacts(ReaderFacts):
    """The particle and the slice in pseudorapidity of the networks."""

    pid: int
    eta: tuple[int, int]


class FcsReader:
    """Networks and binning of a folder; DataError where FastCaloSim could not use them."""

    def __init__(self, bundle: Bundle) -> None:
        facts = bundle.reader(FcsFacts)
        self.particle, self.eta = facts.pid, facts.eta
        if self.particle not in NETWORKS:
            raise DataError(f"{bundle.folder}: FastCaloSim has no networks of {self.particle}")
        particle_type = self.particle if self.particle in (11, 22) else 211
        self.latents, self.layers = read_binning(bundle.file(BINNING), particle_type, self.eta)
        self.networks = {
            span.name: self._load(bundle.file(network_file(self.particle, self.eta, span.name)))
            for span in NETWORKS[self.particle]
        }

    def fractions(
        self, noise: NDArray[np.float32], kinetic_mev: float
    ) -> dict[int, NDArray[np.float64]]:
        """Energy of the voxels over the kinetic energy.  (Z,) -> {layer: (rings, sectors)}"""
        span = self.range_of(kinetic_mev)
        place = log(kinetic_mev / span.lowest_mev) / log(span.highest_mev / span.lowest_mev)
        feed = {"Noise": noise, "mycond": np.array([place, 0.0])}
        graph = self.networks[span.name]
        values = [feed[port.name].astype(np.float32).reshape(1, -1) for port in graph.inputs]
        output = graph.run(*values).ravel().astype(np.float64)
        if output.sum() < 0:
            raise DataError(f"{graph.path}: the sum is negative, the particle would be skipped")
        images, start = {}, 0
        for voxels in self.layers:
            image = output[start : start + voxels.size].reshape(-1, voxels.sectors)
            images[voxels.layer] = np.maximum(image, 0.0)
            start += voxels.size
        return images

    def range_of(self, kinetic_mev: float) -> Range:
        """The network that the reader takes: by momentum, for photons and electrons."""
        *low, high = NETWORKS[self.particle]
        mass = SPECIES[self.particle].mass_mev
        momentum = sqrt(kinetic_mev * (kinetic_mev + 2 * mass))
        return high if not low or momentum > SPLIT_MEV else low[0]

    def _load(self, path: Path) -> Graph:
        graph = Graph(path)
        graph.require_float32()
        shapes = {"Noise": (1, self.latents), "mycond": (1, CONDITIONS)}
        input_shapes = {port.name: tuple(abs(size) for size in port.shape) for port in graph.inputs}
        if input_shapes != shapes:
            raise DataError(f"{path} takes {input_shapes}, FastCaloSim gives {shapes}")
        size = int(np.prod([abs(size) for size in graph.outputs[0].shape]))
        if size != (n_voxels := sum(voxels.size for voxels in self.layers)):
            raise DataError(f"{path} gives {size} voxels, {BINNING} describes {n_voxels}")
        return graph


def network_file(particle: int, eta: tuple[int, ...], name: str) -> str:
    """Name of a network's file."""
    return f"neural_net_{particle}_eta_{eta[0]}_{eta[1]}_{name}.onnx"


def read_binning(path: Path, particle: int, eta: tuple[int, ...]) -> tuple[int, list[Voxels]]:
    """Latents and voxels of a particle; layers without rings are left out, others sorted.

    Raises DataError for a file that is damaged or has a DOCTYPE.
    """
    text = read_bytes(path).decode(errors="replace")
    if re.search("<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise DataError(f"{path} has a DOCTYPE, which is not read")
    try:
        root = ElementTree.fromstring(text)
        for element in root.iter("Particle"):
            for place in element.iter("Bin"):
                if int(element.attrib["pid"]) == particle and _covers(place, eta):
                    return int(element.attrib["latentDim"]), _voxels(place)
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    raise DataError(f"{path} describes no particle {particle} at eta {eta[0]} to {eta[1]}")


def _covers(place: ElementTree.Element, eta: tuple[int, ...]) -> bool:
    middle = sum(eta) // 2
    return int(place.attrib["etaMin"]) < middle < int(place.attrib["etaMax"])


def _voxels(place: ElementTree.Element) -> list[Voxels]:
    layers = []
    for row in place.iter("Layer"):
        edges = np.array(row.attrib["r_edges"].split(","), dtype=np.float64)
        if (np.diff(edges) <= 0).any():
            raise ValueError("r_edges do not increase")
        if len(edges) > 2:
            layers.append(Voxels(int(row.attrib["id"]), edges, int(row.attrib["n_bin_alpha"])))
    if len({voxels.layer for voxels in layers}) < len(layers):
        raise ValueError("a layer stands there twice")
    return sorted(layers, key=lambda voxels: voxels.layer)


def check(bundle: Bundle, options: CheckOptions) -> CheckResult:
    """Compare the layers' energies and the middle of the showers with the native model's."""
    reader, reference = FcsReader(bundle), bundle.reference()
    bundle.require_checksums()
    detector = bundle.card.detector
    energies = 1000 * reference.conditions[:, detector.columns.index("E")].astype(np.float64)
    images = [
        reader.fractions(0.5 + 0.5 * latents, energy)
        for latents, energy in zip(reference.latent, energies, strict=True)
    ]
    native = reference.response.astype(np.float64) * MEV_PER_GEV
    split = detector.split(native)
    sums = np.stack([split[layer.name].sum(axis=(1, 2)) for layer in detector.layers], axis=1)
    energies_of_layers = np.array([[image.sum() for image in shower.values()] for shower in images])
    layers = numbers_agree(
        "energy of layers", energies_of_layers * energies[:, None], sums, tolerance=2e-3
    )
    return CheckResult("fcs-ganv2", (layers, side(bundle, reader, images, native)))


def side(
    bundle: Bundle,
    reader: FcsReader,
    images: list[dict[int, NDArray[np.float64]]],
    native: NDArray[np.float64],
) -> Finding:
    """Share of the energy at phi above and eta above the middle: alpha turns from y to x."""
    widths = []
    for shower in images:
        cells, x, y = [], [], []
        for voxels in reader.layers:
            angle = (np.arange(voxels.sectors) + 0.5) * 2 * np.pi / voxels.sectors - np.pi
            cells.append(shower[voxels.layer].sum(axis=0))
            x.append(np.sin(angle))
            y.append(np.cos(angle))
        mesh = Mesh(np.concatenate(x), np.concatenate(y), np.zeros(1))
        widths.append(sides(np.concatenate(cells)[None], mesh)[0])
    native_sides = sides(native, native_mesh(bundle))
    return numbers_agree("sides of the shower", np.array(widths), native_sides, tolerance=0.02)
