"""The pictures of a comparison: distributions overlaid, the same particles side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.evaluate import resampling
from caloforge.evaluate.baselines import REAL
from caloforge.evaluate.comparison import Comparison
from caloforge.report import figures, images
from caloforge.report.canvas import MODEL_COLOURS, Picture, Section, quantity_of
from caloforge.report.sections import Picked, pick, spreads_of
from caloforge.report.tables import ranked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from caloforge.detector import Layer

MOST_LINES = len(MODEL_COLOURS)
"""Methods that one picture tells apart."""
PER_KIND = 2
"""Particles of each kind that are shown."""


def sections(comparison: Comparison) -> Iterator[Section]:
    """The pictures of the page, section by section."""
    best = [method.label for method in ranked(comparison)[: len(comparison.methods)]][:MOST_LINES]
    samples = {label: comparison.generated[label] for label in best}
    remainder = len(comparison.methods) - len(samples)
    more = f" The best {MOST_LINES} of the methods; {remainder} are left out." if remainder else ""
    yield Section(
        "Distributions",
        "Channel sums; grey: real, lines: the first seed of each method. Errors: whole particles "
        f"drawn again; the outermost bins hold all that lies beyond.{more}",
        tuple(_histograms(comparison, samples)),
    )
    if not comparison.inputs.real.detector.signed:  # coordinates are no images
        yield Section(
            "Showers",
            "The same particles, real and by each method (first seed); under each shower its "
            f"total [{comparison.inputs.real.detector.unit}].{more}",
            tuple(_showers(comparison.inputs.real, samples)),
        )
    if comparison.evaluation.bootstrap.repeated:
        yield Section(
            "Diversity",
            "Generated against real spread over the showers of one particle, a point a particle.",
            tuple(_diversity(comparison, samples)),
        )


def _histograms(comparison: Comparison, samples: Mapping[str, Showers]) -> Iterator[Picture]:
    real = comparison.inputs.real
    detector, scheme = real.detector, comparison.evaluation.scheme
    _, particle_index = resampling.index_particles(real.particle)
    sums = {label: detector.read_out(showers.cells, scheme) for label, showers in samples.items()}
    truth = detector.read_out(real.cells, scheme)
    for number, label in enumerate(detector.scheme(scheme).labels):
        plot = figures.ratio_histogram(
            (truth[:, number], particle_index),
            {name: (values[:, number], particle_index) for name, values in sums.items()},
            int(particle_index.max()) + 1,
            label=f"{label} ({comparison.scheme}) [{detector.unit}]",
            whole=detector.counts,
        )
        yield Picture.of(plot, _distances(comparison, f"w1_{label}", label))


def _distances(comparison: Comparison, measure: str, label: str) -> str:
    """W1 of a channel for every method and the floor, in words."""
    rows = [m for m in ranked(comparison) if m in comparison.methods or m.label == REAL]
    texts = [
        f"{'floor' if one.label == REAL else one.label} {one.numbers[measure].measured}"
        for one in rows
        if one.numbers[measure].measured.value is not None
    ]
    return f"{label}: W1 " + ", ".join(texts) + "."


def _showers(real: Showers, samples: Mapping[str, Showers]) -> Iterator[Picture]:
    """Some particles whose real showers agree, some whose real showers differ."""
    spreads = spreads_of(real, real)
    count: dict[str, int] = {}
    layers = real.detector.layers
    for particle in pick(real, real, spreads):
        count[particle.kind] = count.get(particle.kind, 0) + 1
        if count[particle.kind] > (PER_KIND if len(layers) == 1 else 1):
            continue
        for layer in layers:
            plot = _side_by_side(real, samples, particle, layer)
            where = f", {layer.name}" if len(layers) > 1 else ""
            condition = real.detector.conditions[0]
            value = f"{real.conditions[particle.real[0], 0]:.4g} {condition.unit}"
            caption = f"{particle.kind.capitalize()}: particle {particle.particle}, "
            caption += f"{condition.name} {value}{where}."
            yield Picture.of(plot, caption)


def _side_by_side(
    real: Showers, samples: Mapping[str, Showers], particle: Picked, layer: Layer
) -> Figure:
    """A row of showers for the real ones and for each method."""
    rows = {
        label: (_images(showers, particle.real, layer), _totals(showers, particle.real))
        for label, showers in {"real": real, **samples}.items()
    }
    return images.shower_rows(rows, layer, label=quantity_of(real))


def _images(showers: Showers, index: NDArray[np.int64], layer: Layer) -> NDArray[Any]:
    return showers.detector.split(showers.cells[index])[layer.name]


def _totals(showers: Showers, index: NDArray[np.int64]) -> list[str]:
    return [f"{total:.4g}" for total in showers.cells[index].sum(axis=1, dtype=np.float64)]


def _diversity(comparison: Comparison, samples: Mapping[str, Showers]) -> Iterator[Picture]:
    slopes = {m.label: m.numbers["spread_slope"].measured for m in comparison.methods}
    for label, showers in samples.items():
        spreads = spreads_of(comparison.inputs.real, showers)
        plot = figures.diversity_plot(
            spreads.real,
            spreads.generated,
            spreads.total,
            unit=comparison.inputs.real.detector.unit,
            slope=slopes[label].value,
        )
        yield Picture.of(plot, f"{label}: slope {slopes[label]} (all seeds).")
