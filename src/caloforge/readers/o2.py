"""What AliceO2 does with the files of fast simulation, one particle at a time.

Shapes: N particles, image (nx, ny). Contract: AliceO2 ``Detectors/ZDC`` (zdc.md e1 to e5):
``fastsimulation/src/FastSimulations.cxx`` loads and runs the graphs at batch 1 on one thread,
``simulation/src/Detector.cxx`` (BeginPrimary, FastSimToHits) fills the inputs and takes the output
for [y][x] values of ln(1 + photons), which it truncates to whole photons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.readers.graphs import Graph
from caloforge.readers.o2_scales import CONDITIONS, Scales, read_scales

LATENTS = 10
CHARGE = 8
"""Column of the charge, which O2 gives in thirds of the elementary charge."""
SHAPES = {"alice_zn": (44, 44), "alice_zp": (56, 30)}
FILES = ("generator.onnx", "scales.txt", "classifier.onnx", "classifier_scales.txt")
SECTORS = ("common", "tower1", "tower2", "tower3", "tower4")


@dataclass(frozen=True)
class Response:
    """What O2 makes of one particle: whole photons of each fibre, and of each sector."""

    simulated: bool
    """Whether the classifier let the generator run."""
    photons: NDArray[np.int64]
    """(nx, ny), as O2 addresses them: pixel [x][y]."""
    sectors: NDArray[np.int64]
    """Common, then towers 1 to 4; a hit exists where there is light.  (5,)"""


class O2Reader:
    """The four files of a bundle, loaded as O2 loads them.

    Raises DataError where O2 would throw, or would go on without fast simulation.
    """

    def __init__(self, folder: Path, detector: str) -> None:
        generator, scales, classifier, classifier_scales = (folder / name for name in FILES)
        self.shape, self.sector_of = SHAPES[detector], SECTOR_MAPS[detector](*SHAPES[detector])
        self.classifier_scales = read_scales(classifier_scales)
        self.classifier = load(classifier, (CONDITIONS,))
        self.scales = read_scales(scales)
        self.generator = load(generator, (LATENTS, CONDITIONS))
        self._try_out()

    def respond(self, raw: NDArray[np.float32], noise: NDArray[np.float32]) -> Response:
        """One primary particle.  raw (9,) in O2's units, noise (10,)"""
        if not self.is_hit(raw):
            return Response(False, np.zeros(self.shape, np.int64), np.zeros(5, np.int64))
        photons = truncated(self.image(raw, noise), self.shape)
        sectors = np.bincount(self.sector_of.ravel(), photons.ravel(), len(SECTORS))
        return Response(True, photons, sectors.astype(np.int64))

    def is_hit(self, raw: NDArray[np.float32]) -> bool:
        """Whether the classifier's first number rounds (a half away from 0) to something else."""
        answer = self.classifier.run(scaled(self.classifier_scales, raw)).ravel()
        return bool(np.floor(np.abs(answer[0]) + 0.5) != 0)

    def image(self, raw: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.float32]:
        """The generator's output as it lies in memory.  (values,)"""
        return self.generator.run(noise.reshape(1, -1), scaled(self.scales, raw)).ravel()

    def _try_out(self) -> None:
        """The first call, so that a graph that cannot answer is found when it is loaded."""
        nothing = np.zeros(CONDITIONS, dtype=np.float32)
        if not self.classifier.run(nothing.reshape(1, -1)).size:
            raise DataError(f"{self.classifier.path} gives no number")
        values, wanted = self.image(nothing, nothing[:1].repeat(LATENTS)), np.prod(self.shape)
        if values.size < wanted:
            raise DataError(f"{self.generator.path} gives {values.size} values, O2 reads {wanted}")


def load(path: Path, lengths: tuple[int, ...]) -> Graph:
    """A graph whose inputs take that many numbers each, once symbolic sizes are 1."""
    graph = Graph(path)
    graph.require_float32()
    if len(graph.inputs) != len(lengths):
        raise DataError(f"{path} has {len(graph.inputs)} inputs, O2 gives {len(lengths)}")
    graph.require_inputs(*((1, length) for length in lengths))
    return graph


def raw_input(conditions: NDArray[np.floating]) -> NDArray[np.float32]:
    """Physical conditions in O2's units: charge in thirds of e.  (N, 9) -> (N, 9)"""
    raw = conditions.astype(np.float32)
    raw[:, CHARGE] *= 3
    return raw


def scaled(scales: Scales, raw: NDArray[np.float32]) -> NDArray[np.float32]:
    """One row of the graph's input.  (9,) -> (1, 9)"""
    return scales.apply(raw).reshape(1, -1)


def truncated(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Whole photons of pixel [x][y], which O2 finds at ``nx * y + x``.  (values,) -> (nx, ny)

    The conversion to int drops the fraction; what is not positive is no photon.
    """
    nx, ny = shape
    photons = np.expm1(values[: nx * ny].astype(np.float32)).reshape(ny, nx).T
    if not np.isfinite(photons).all():
        raise DataError("the generator gives values that are not finite; O2 would convert them")
    return np.maximum(photons.astype(np.int64), 0)


def neutron_sectors(nx: int, ny: int) -> NDArray[np.int64]:
    """Sector of each fibre of the ZN: every other one common, else its quadrant.  (nx, ny)"""
    x, y = np.indices((nx, ny))
    quadrant = 1 + (x >= nx // 2) + 2 * (y >= ny // 2)
    return np.where((x + y) % 2 == 0, 0, quadrant)


def proton_sectors(nx: int, ny: int) -> NDArray[np.int64]:
    """Sector of each fibre of the ZP: every other one common, else its strip.  (nx, ny)"""
    x, y = np.indices((nx, ny))
    return np.where((x + y) % 2 == 0, 0, 4 * x // nx + 1)


SECTOR_MAPS: dict[str, Callable[[int, int], NDArray[np.int64]]] = {
    "alice_zn": neutron_sectors,
    "alice_zp": proton_sectors,
}

__all__ = [
    "FILES",
    "LATENTS",
    "SECTORS",
    "SHAPES",
    "O2Reader",
    "Response",
    "neutron_sectors",
    "proton_sectors",
    "raw_input",
    "truncated",
]
