"""The same particles as in the shipped samples, which another engine transported (GEANT 3.21).

Shapes: N showers of ours, P particles of the sample.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.record import Showers
from caloforge.data.showers import ShowerFile, read
from caloforge.detector import Detector
from caloforge.transport.request import Particles
from caloforge.transport.run import prepare
from validation.transport.figures import Value, mean
from validation.transport.measuring import Measured, Series

Array = NDArray[np.float64]

SHOWERS = {"atlas_em": 300, "alice_zn": 80, "alice_zp": 24}
QUICK = 4
FEWEST = 10
AGREE_SIGMA = 3.0
NAMES = {
    2112: "n", 2212: "p", 22: "gamma", 130: "K0L", 211: "pi+", -211: "pi-", 321: "K+", -11: "e+",
}  # fmt: skip


def particles_of_sample(path: Path, count: int, seed: int) -> tuple[Detector, Particles]:
    """Some particles of a sample, at random."""
    with ShowerFile(path) as file:
        groups = file.groups()
        order = np.random.default_rng(seed).permutation(len(groups))[:count]
        rows = groups.starts[np.sort(order)]
        assert file.pdg is not None
        particles = Particles(
            file.pdg[rows], file.conditions[rows], file.particle[rows], str(path.name)
        )
        return file.detector, particles


def series_of_sample(path: Path, seed: int, *, quick: bool) -> Series:
    """Our showers of a sample's particles, those that meet the face, one each."""
    with ShowerFile(path) as file:
        detector = file.detector
    detector, particles = particles_of_sample(
        path, QUICK if quick else SHOWERS[detector.name], seed
    )
    request, tables = prepare(detector, particles, seed=seed)
    assert tables is not None
    hits = np.flatnonzero(request.arrivals.hits)
    shots = [request.shot(int(row)) for row in hits]
    return Series(sample_name(detector.name), request, tables, shots)


def sample_name(detector: str) -> str:
    """Name of the series of a detector's sample."""
    return f"sample-{detector}"


def compare(series: Series, measured: Measured, path: Path) -> dict[str, Any]:
    """Ours and theirs for the same particles, by particle type."""
    sample, place = read(path), np.array([shot.index for shot in series.shots])
    particles = series.request.particles
    theirs = [sample.of_particles(particles.number[row : row + 1]) for row in place]
    types = particles.pdg[place]
    by_particle: dict[str, Any] = {}
    for pdg in np.unique(types).tolist():
        rows = np.flatnonzero(types == pdg)
        if len(rows) >= 2:
            shots = [series.shots[int(row)] for row in rows]
            energy = np.array([shot.kinetic_gev for shot in shots])
            own = measured.cells[rows].astype(np.float64)
            by_particle[NAMES.get(pdg, str(pdg))] = _figures(own, [theirs[r] for r in rows], energy)
    return by_particle


def _figures(own: Array, theirs: list[Showers], energy: Array) -> dict[str, Any]:
    """Response, emptiness and width of both engines; the other one averages its repeats."""
    total = own.sum(axis=1)
    other = np.array([showers.total().mean() for showers in theirs])
    empty = np.array([(showers.total() == 0).mean() for showers in theirs])
    per_energy, other_per_energy = mean(total / energy), mean(other / energy)
    difference = mean((total - other) / energy)
    detector = theirs[0].detector
    width = _width(detector, own)
    other_width = np.array([_mean_width(detector, showers) for showers in theirs])
    both = np.isfinite(width) & np.isfinite(other_width)
    response = _ratio(per_energy, other_per_energy, difference)
    wider = _ratio(
        mean(width[both]), mean(other_width[both]), mean(width[both] - other_width[both])
    )
    return {
        "n": len(total),
        "mean_energy_gev": float(energy.mean()),
        "response_per_gev": per_energy,
        "other_response_per_gev": other_per_energy,
        "ratio_of_responses": response,
        "empty_percent": 100 * float((total == 0).mean()),
        "other_empty_percent": 100 * float(empty.mean()),
        "width_mm": mean(width[both]),
        "other_width_mm": mean(other_width[both]),
        "ratio_of_widths": wider,
        "response": verdict(response, len(total)),
        "width": verdict(wider, int(both.sum())),
    }


def _ratio(own: Value, other: Value, difference: Value) -> Value:
    """Ratio of two means of the same particles; the error is that of their difference."""
    return Value(own.value / other.value, difference.error / other.value)


def verdict(ratio: Value, particles: int) -> str:
    """Whether both engines agree, in words: three standard errors are a disagreement."""
    if particles < FEWEST:
        return "too few"
    sigma = (ratio.value - 1) / ratio.error
    percent = f"{100 * (ratio.value - 1):+.1f} % ({abs(sigma):.1f} sigma)"
    return f"agree: {percent}" if abs(sigma) < AGREE_SIGMA else f"**differ: {percent}**"


def _mean_width(detector: Detector, showers: Showers) -> float:
    """Mean width of the repeats that left a signal, NaN where none did."""
    width = _width(detector, showers.cells.astype(np.float64))
    finite = width[np.isfinite(width)]
    return float(finite.mean()) if len(finite) else float("nan")


def _width(detector: Detector, cells: Array) -> Array:
    """Root mean square distance of the signal from its centre in mm, largest layer.  (N,)"""
    layer = max(detector.layers, key=lambda layer: layer.depth_mm or 0.0)
    image = detector.split(cells)[layer.name]
    total = image.sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.zeros(len(cells))
        for axis in (0, 1):
            centre = layer.centres_mm(axis)
            marginal = image.sum(axis=2 - axis) / total[:, None]
            squares += marginal @ centre**2 - (marginal @ centre) ** 2
        return np.asarray(np.sqrt(np.where(total > 0, np.maximum(squares, 0), np.nan)))
