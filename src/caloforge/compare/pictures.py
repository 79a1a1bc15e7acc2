"""The pictures of a comparison: distributions overlaid, the same particles side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge import plots
from caloforge.compare.comparison import Comparison
from caloforge.compare.table import lines
from caloforge.data.showers import Showers
from caloforge.evaluate import gallery, repeats
from caloforge.evaluate.gallery import Picked
from caloforge.evaluate.judgement import REAL
from caloforge.evaluate.picture import Picture, Section
from caloforge.plots.canvas import MODEL_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from caloforge.detector import Layer

MOST_LINES = len(MODEL_COLOURS)
"""Methods that one picture tells apart."""
PER_KIND = 2
"""Particles of each kind that are shown."""


def sections(comparison: Comparison) -> Iterator[Section]:
    """The pictures of the page, section by section."""
    best = [method.label for method in lines(comparison)[: len(comparison.methods)]][:MOST_LINES]
    shown = {label: comparison.shown[label] for label in best}
    left = len(comparison.methods) - len(shown)
    more = f" The best {MOST_LINES} of the methods; {left} are left out." if left else ""
    yield Section(
        "Distributions",
        "Channel sums; grey: real, lines: the first seed of each method. Errors: whole particles "
        f"drawn again; the outermost bins hold all that lies beyond.{more}",
        tuple(_histograms(comparison, shown)),
    )
    if not comparison.case.real.detector.signed:  # coordinates are no images
        yield Section(
            "Showers",
            "The same particles, real and by each method (first seed); under each shower its "
            f"total [{comparison.case.real.detector.unit}].{more}",
            tuple(_showers(comparison.case.real, shown)),
        )
    if comparison.sitting.court.repeated:
        yield Section(
            "Diversity",
            "Generated against real spread over the showers of one particle, a point a particle.",
            tuple(_diversity(comparison, shown)),
        )


def _histograms(comparison: Comparison, shown: Mapping[str, Showers]) -> Iterator[Picture]:
    real = comparison.case.real
    detector, scheme = real.detector, comparison.sitting.scheme
    _, slot = repeats.slots(real.particle)
    sums = {label: detector.read_out(made.cells, scheme) for label, made in shown.items()}
    truth = detector.read_out(real.cells, scheme)
    for number, label in enumerate(detector.scheme(scheme).labels):
        drawn = plots.ratio_histogram(
            (truth[:, number], slot),
            {name: (values[:, number], slot) for name, values in sums.items()},
            int(slot.max()) + 1,
            label=f"{label} ({comparison.scheme}) [{detector.unit}]",
            whole=detector.counts,
        )
        yield Picture(plots.data_uri(drawn), _distances(comparison, f"w1_{label}", label))


def _distances(comparison: Comparison, measure: str, label: str) -> str:
    """W1 of a channel for every method and the floor, in words."""
    known = [m for m in lines(comparison) if m in comparison.methods or m.label == REAL]
    texts = [
        f"{'floor' if one.label == REAL else one.label} {one.numbers[measure].measured}"
        for one in known
        if one.numbers[measure].measured.value is not None
    ]
    return f"{label}: W1 " + ", ".join(texts) + "."


def _showers(real: Showers, shown: Mapping[str, Showers]) -> Iterator[Picture]:
    """Some particles whose real showers agree, some whose real showers differ."""
    spreads = gallery.spreads_of(real, real)
    counted: dict[str, int] = {}
    layers = real.detector.layers
    for picked in gallery.pick(real, real, spreads):
        counted[picked.kind] = counted.get(picked.kind, 0) + 1
        if counted[picked.kind] > (PER_KIND if len(layers) == 1 else 1):
            continue
        for layer in layers:
            drawn = _side_by_side(real, shown, picked, layer)
            where = f", {layer.name}" if len(layers) > 1 else ""
            condition = real.detector.conditions[0]
            value = f"{real.conditions[picked.real[0], 0]:.4g} {condition.unit}"
            caption = f"{picked.kind.capitalize()}: particle {picked.particle}, "
            caption += f"{condition.name} {value}{where}."
            yield Picture(plots.data_uri(drawn), caption)


def _side_by_side(
    real: Showers, shown: Mapping[str, Showers], picked: Picked, layer: Layer
) -> Figure:
    """A row of showers for the real ones and for each method."""
    rows = {
        label: (_images(showers, picked.real, layer), _totals(showers, picked.real))
        for label, showers in {"real": real, **shown}.items()
    }
    label = real.detector.quantity if real.detector.counts else real.detector.unit
    return plots.shower_rows(rows, layer, label=label)


def _images(showers: Showers, index: NDArray[np.int64], layer: Layer) -> NDArray[Any]:
    images: NDArray[Any] = showers.detector.split(showers.cells[index])[layer.name]
    return images


def _totals(showers: Showers, index: NDArray[np.int64]) -> list[str]:
    return [f"{total:.4g}" for total in showers.cells[index].sum(axis=1, dtype=np.float64)]


def _diversity(comparison: Comparison, shown: Mapping[str, Showers]) -> Iterator[Picture]:
    slopes = {m.label: m.numbers["spread_slope"].measured for m in comparison.methods}
    for label, made in shown.items():
        spreads = gallery.spreads_of(comparison.case.real, made)
        drawn = plots.diversity_plot(
            spreads.real,
            spreads.generated,
            spreads.total,
            unit=comparison.case.real.detector.unit,
            slope=slopes[label].value,
        )
        yield Picture(plots.data_uri(drawn), f"{label}: slope {slopes[label]} (all seeds).")
