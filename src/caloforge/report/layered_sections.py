"""Pictures of a layered detector: attributes, nearest neighbours, traversals.

Shapes: N showers, K cells, v values of an attribute.

arXiv:1711.08813: Fig. 1 mean images, Fig. 2 nearest neighbours, Figs. 3-5 traversals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.attributes import Attribute, Traversal, attributes, real_beside
from caloforge.evaluate.metrics.neighbours import nearest_distances
from caloforge.evaluate.observables import layout_of, values_of
from caloforge.report import figures, images
from caloforge.report.pictures import Picture, Section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from caloforge.data.showers import Showers
    from caloforge.detector import Detector, Layer

Values = NDArray[np.float64]
NEIGHBOURS = 7
"""Real showers whose nearest generated ones are shown, as in Fig. 2."""


def layered_sections(
    real: Showers, generated: Showers, train: Showers | None, traversals: Sequence[Traversal]
) -> Iterator[Section]:
    """What a detector with several layers adds to the page; nothing for others."""
    if len(real.detector.layers) < 2 or real.detector.signed:
        return
    lines = tuple(_lines(real, generated, traversals))
    if lines:
        yield Section("Attributes", LINES_TEXT, lines)
    pictures = tuple(
        Picture.of(plot, f"{layer}.", wide=True)
        for layer, plot in nearest_pictures(real, generated, train).items()
    )
    yield Section("Nearest neighbours", NEAREST_TEXT, pictures)
    if traversals:
        beside = real if train is None else train
        yield Section("Traversals", TRAVERSALS_TEXT, tuple(_traversals(beside, traversals)))


LINES_TEXT = (
    "Each attribute against the observable that follows it; slopes stand in the two-sample table. "
    "Dashed: one attribute moved at fixed latents, the others in the middle of their ranges."
)
NEAREST_TEXT = (
    "Seven real showers that are lit in the layer, from the faintest to the brightest, over the "
    "generated and over the real training shower that is nearest in the cells of that layer. "
    "Distances are 2-norms of the differences of the cells; each column is shown in parts of what "
    "the layer holds of its real shower."
)
TRAVERSALS_TEXT = (
    "Averages of ten showers at fixed latents while one attribute moves through its range, the "
    "others in the middle of theirs, over the ten real showers of the nearest conditions; and "
    "their differences to the middle one."
)


def _lines(real: Showers, generated: Showers, traversals: Sequence[Traversal]) -> Iterator[Picture]:
    swept = {one.attribute.name: one for one in traversals}
    for attribute in attributes(real.detector):
        plot = attribute_picture(attribute, real, generated, swept.get(attribute.name))
        caption = f"{attribute.observable.title} against {attribute.name}."
        if attribute.name in swept:
            caption += f" Slope at fixed latents {swept[attribute.name].slope}."
        yield Picture.of(plot, caption)


def attribute_picture(
    attribute: Attribute, real: Showers, generated: Showers, traversal: Traversal | None
) -> Figure:
    """The observable of one attribute, real, generated and moved."""
    detector, observable = real.detector, attribute.observable
    points = []
    for showers in (real, generated):
        values = values_of(showers.cells, (observable,), layout_of(detector))[observable.name]
        points.append((attribute.of(showers.conditions), values))
    mean = None if traversal is None else _in_order(traversal)
    return figures.attribute_lines(
        points[0],
        {"generated": points[1]},
        attribute=f"{attribute.name} [{attribute.unit}]",
        observable=f"{observable.title} [{observable.unit or detector.unit}]",
        traversal=mean,
    )


def _in_order(traversal: Traversal) -> tuple[Values, Values]:
    """Values of the attribute from small to large, and the mean observable at each.  (v,), (v,)"""
    at, place = np.unique(traversal.at.round(12), return_inverse=True)
    mean = np.nanmean(traversal.observed, axis=0)
    return at, np.bincount(place.reshape(-1), mean) / np.bincount(place.reshape(-1))


def nearest_pictures(
    real: Showers, generated: Showers, train: Showers | None = None
) -> dict[str, Figure]:
    """Seven real showers over their nearest others, by layer; no layer that is dark in all."""
    others = {"nearest\ngenerated": generated}
    if train is not None and len(train):
        others["nearest\ntraining"] = train
    detector, plots = real.detector, {}
    for layer, cells in zip(detector.layers, layout_of(detector).layers, strict=True):
        rows = some_lit(real.cells, cells.cells)
        if len(rows):
            plots[layer.name] = _nearest(real.rows(rows), others, layer, cells.cells)
    return plots


def some_lit(showers: NDArray[Any], cells: slice) -> NDArray[np.int64]:
    """Rows of at most seven showers lit in these cells, from the faintest to the brightest."""
    nonempty = np.flatnonzero(showers[:, cells].any(axis=1))
    order = nonempty[np.argsort(showers[nonempty].sum(axis=1), kind="stable")]
    places = np.linspace(0, max(len(order) - 1, 0), min(NEIGHBOURS, len(order)))
    return order[places.round().astype(np.int64)]


def _nearest(real: Showers, others: Mapping[str, Showers], layer: Layer, cells: slice) -> Figure:
    """Real showers of one layer over those of each other sample that are nearest to them."""
    layer_cells, unit = real.cells[:, cells], real.detector.unit
    sums = layer_cells.sum(axis=1, dtype=np.float64)
    rows = {"real": (layer_cells, _labels(real, sums))}
    for name, showers in others.items():
        distance, place = nearest_distances(layer_cells, showers.cells[:, cells])
        rows[name] = showers.cells[place][:, cells], [f"{d:.2g} {unit} away" for d in distance]
    samples = {
        name: ((images / sums[:, None]).reshape(-1, *layer.shape), texts)
        for name, (images, texts) in rows.items()
    }
    return images.shower_rows(samples, layer, label="part of the real layer")


def _labels(real: Showers, sums: Values) -> list[str]:
    """Under each shower its incident energy, where there is one, and what the layer holds."""
    detector = real.detector
    texts = [f"layer {energy:.3g} {detector.unit}" for energy in sums]
    if detector.energy is None:
        return texts
    energies = real.conditions[:, detector.column(detector.energy)]
    return [
        f"{detector.energy} {energy:.3g} {detector.unit}\n{text}"
        for energy, text in zip(energies, texts, strict=True)
    ]


def _traversals(real: Showers, traversals: Sequence[Traversal]) -> Iterator[Picture]:
    columns: set[int] = set()
    for one in traversals:
        if one.attribute.column in columns:
            continue
        columns.add(one.attribute.column)
        name = real.detector.conditions[one.attribute.column].name
        for plot, what in zip(
            traversal_pictures(one, real), ("averages", "differences"), strict=True
        ):
            yield Picture.of(plot, f"{name}: {what}.", wide=True)


def traversal_pictures(traversal: Traversal, real: Showers) -> tuple[Figure, Figure]:
    """Averages at each value, and their differences to the middle one; real ones below them."""
    detector, beside = real.detector, real_beside(traversal, real)
    condition = detector.conditions[traversal.attribute.column]
    at = value_labels(traversal.condition)
    near = value_labels(beside.condition, like=traversal.condition)
    samples = {
        "generated": (
            [f"{condition.name} = {one} {condition.unit}" for one in at],
            traversal.images,
        ),
        "real": ([f"around {one} {condition.unit}" for one in near], beside.images),
    }
    means = {name: _columns(detector, *both) for name, both in samples.items()}
    differences = {name: _columns(detector, *_less_middle(*both)) for name, both in samples.items()}
    label = f"mean {detector.unit} a cell"
    return (
        images.layer_lines(means, detector.layers, label=label),
        images.layer_lines(differences, detector.layers, label=label, difference=True),
    )


def _less_middle(titles: list[str], images: Values) -> tuple[list[str], Values]:
    """All but the middle one, less the middle one; their titles say so."""
    middle = len(titles) // 2
    others = np.delete(np.arange(len(titles)), middle)
    titles_of_differences = [f"{titles[n]}\nminus {titles[middle]}" for n in others]
    return titles_of_differences, images[others] - images[middle]


def value_labels(values: Values, like: Values | None = None) -> list[str]:
    """Values to a hundredth of the steps between those of ``like`` (themselves)."""
    reference = values if like is None else like
    step = float(np.abs(np.diff(reference)).max(initial=0.0)) or 1.0
    digits = 2 - math.floor(math.log10(step))
    # Adding zero turns -0 into 0.
    return [f"{round(float(value), digits) + 0.0:.6g}" for value in values]


def _columns(
    detector: Detector, titles: Sequence[str], images: Values
) -> list[tuple[str, dict[str, Values]]]:
    return [(title, _of_one(detector, image)) for title, image in zip(titles, images, strict=True)]


def mean_layers(showers: Showers) -> dict[str, Values]:
    """Mean image of each layer.  {layer: (nx, ny)}"""
    return _of_one(showers.detector, showers.cells.mean(axis=0, dtype=np.float64))


def _of_one(detector: Detector, cells: Values) -> dict[str, Values]:
    """Images of the layers of one flat shower.  (K,)"""
    return {name: images[0] for name, images in detector.split(cells[None, :]).items()}
