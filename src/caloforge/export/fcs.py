"""A simulator for FastCaloSim's GAN version 2: one network an energy range, and binning.xml.

Shapes: N showers, Z latents, V voxels (layer, r outer, alpha inner). Contract: TFCSGANEtaSlice.cxx,
TFCSONNXHandler.cxx, TFCSGANXMLParameters.cxx and calo.md d4 (readers/fcs.py): ``Noise`` N(0.5, 0.5)
and ``mycond`` in, fractions of the kinetic energy out. Alpha turns from eta (our y) to phi (our x).
"""

from __future__ import annotations

from math import log

import numpy as np

from caloforge.errors import UsageError
from caloforge.export.bundle import Contents, generator_bytes
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
from caloforge.export.regridding import half_width_mm, polar_shares
from caloforge.export.tape import Output, Value, wrap
from caloforge.readers.fcs import (
    BINNING,
    CONDITIONS,
    CORRECTED_SECTORS,
    NETWORKS,
    Range,
    network_file,
)
from caloforge.simulator import Simulator

MESH = (16, 16)
FIRST_RING_MM = 5.0
FIRST_LAYER = 1
"""Layers 1 to 3 of the barrel: strips, middle, back."""
ETA = (20, 25)


def adapt(simulator: Simulator, options: Options) -> Contents:
    """Networks of all energy ranges of a particle; UsageError for what the reader cannot hold."""
    require_energies(simulator, "fcs-ganv2")
    mesh = options.mesh or MESH
    if options.particle not in NETWORKS:
        known = ", ".join(map(str, NETWORKS))
        raise UsageError(f"fcs-ganv2 has no particle {options.particle}; it has {known}")
    if len(mesh) != 2 or mesh[0] < 2 or mesh[1] == CORRECTED_SECTORS:
        raise UsageError(
            "the mesh of fcs-ganv2 is r x alpha, at least two rings and not 32 sectors"
        )
    edges = ring_edges(mesh[0], half_width_mm(simulator.detector))
    files = {
        network_file(options.particle, ETA, span.name): graph(simulator, span, edges, mesh[1])
        for span in NETWORKS[options.particle]
    }
    files[BINNING] = binning(simulator, options.particle, edges, mesh[1]).encode("ascii")
    facts = {"pid": options.particle, "eta": list(ETA)}
    paste = f"initializeNetwork({options.particle}, {ETA[0]}, folder)"
    return Contents(files, facts, README, paste, straight_reference(simulator))


def ring_edges(rings: int, radius_mm: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Rings that grow outwards in equal ratios.  (rings + 1,)"""
    return np.round(np.concatenate([[0.0], np.geomspace(FIRST_RING_MM, radius_mm, rings)]), 3)


def graph(simulator: Simulator, span: Range, edges: object, sectors: int) -> bytes:
    """Noise (1, Z) and the energy's place in a range (1, 2) in, fractions out.  (1, V)"""
    size, rings = simulator.latent_size, np.asarray(edges, dtype=np.float64)
    shares = [
        polar_shares(layer, rings, sectors, from_y=True) for layer in simulator.detector.layers
    ]

    def gev(given: Value) -> Value:
        place = given.columns(0, 1)
        growth = log(span.highest_mev / span.lowest_mev)
        return place.tape.apply("Exp", place * growth) * (span.lowest_mev / MEV_PER_GEV)

    def before(noise: Value, given: Value) -> tuple[Value, Value]:
        return (noise - 0.5) / 0.5, conditions(simulator, {"E": gev(given)})

    def after(cells: Value, _: Value, given: Value) -> Value:
        clean = numbers(cells / kept(simulator, "E", gev(given)), 1e6)
        images = layers(simulator, clean).values()
        parts = [image @ share for image, share in zip(images, shares, strict=True)]
        return clean.tape.apply("Concat", *parts, axis=1)

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
    described = particle if particle in (11, 22) else 211
    return XML.format(
        pid=described, latents=simulator.latent_size, low=ETA[0], high=ETA[1], layers=rows
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

__all__ = ["adapt", "binning", "graph", "ring_edges"]
