"""Pictures of a layered detector: attributes, nearest neighbours, traversals.

Shapes: N showers, K cells, v values of an attribute.

arXiv:1711.08813: Fig. 1 mean images, Fig. 2 nearest neighbours, Figs. 3-5 traversals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge import plots
from caloforge.evaluate.attributes import Attribute, attributes
from caloforge.evaluate.layout import layout_of
from caloforge.evaluate.neighbours import nearest_distances
from caloforge.evaluate.observables import values_of
from caloforge.evaluate.picture import Picture, Section, quantity_of
from caloforge.evaluate.traversal import Traversal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from caloforge.data.showers import Showers
    from caloforge.detector import Detector

Values = NDArray[np.float64]
NEIGHBOURS = 7
"""Real showers whose nearest generated ones are shown, as in Fig. 2."""


def layered_sections(
    real: Showers, generated: Showers, moved: Sequence[Traversal]
) -> Iterator[Section]:
    """What a detector with several layers adds to the page; nothing for others."""
    if len(real.detector.layers) < 2 or real.detector.signed:
        return
    lines = tuple(_lines(real, generated, moved))
    if lines:
        yield Section("Attributes", LINES_TEXT, lines)
    pictures = tuple(
        Picture(plots.data_uri(drawn), caption, wide=True)
        for drawn, caption in nearest_pictures(real, generated)
    )
    yield Section("Nearest neighbours", NEAREST_TEXT, pictures)
    if moved:
        yield Section("Traversals", MOVED_TEXT, tuple(_traversals(real.detector, moved)))


LINES_TEXT = (
    "Each attribute against the observable that follows it; slopes stand in the two-sample table. "
    "Dashed: one attribute moved at fixed latents, the others in the middle of their ranges."
)
NEAREST_TEXT = (
    "Seven real showers from the faintest to the brightest over the generated shower that is "
    "nearest in the cells of that layer (2-norm)."
)
MOVED_TEXT = (
    "Averages of ten showers at fixed latents while one attribute moves through its range, and "
    "below them their differences to the middle one."
)


def _lines(real: Showers, generated: Showers, moved: Sequence[Traversal]) -> Iterator[Picture]:
    swept = {one.attribute.name: one for one in moved}
    for attribute in attributes(real.detector):
        drawn = attribute_picture(attribute, real, generated, swept.get(attribute.name))
        caption = f"{attribute.observable.title} against {attribute.name}."
        if attribute.name in swept:
            caption += f" Slope at fixed latents {swept[attribute.name].slope}."
        yield Picture(plots.data_uri(drawn), caption)


def attribute_picture(
    attribute: Attribute, real: Showers, generated: Showers, moved: Traversal | None
) -> Figure:
    """The observable of one attribute, real, generated and moved."""
    detector, seen = real.detector, attribute.observable
    points = []
    for showers in (real, generated):
        values = values_of(showers.cells, (seen,), layout_of(detector))[seen.name]
        points.append((attribute.of(showers.conditions), values))
    mean = None if moved is None else _in_order(moved)
    return plots.attribute_lines(
        points[0],
        {"generated": points[1]},
        attribute=f"{attribute.name} [{attribute.unit}]",
        observable=f"{seen.title} [{seen.unit or detector.unit}]",
        moved=mean,
    )


def _in_order(moved: Traversal) -> tuple[Values, Values]:
    """Values of the attribute from small to large, and the mean observable at each.  (v,), (v,)"""
    at, place = np.unique(moved.at.round(12), return_inverse=True)
    mean = np.nanmean(moved.observed, axis=0)
    return at, np.bincount(place.reshape(-1), mean) / np.bincount(place.reshape(-1))


def nearest_pictures(real: Showers, generated: Showers) -> Iterator[tuple[Figure, str]]:
    """Seven real showers over their nearest generated ones, a figure and a caption a layer."""
    detector = real.detector
    lit = np.flatnonzero(real.cells.any(axis=1))
    if not len(lit):
        return
    order = lit[np.argsort(real.cells[lit].sum(axis=1), kind="stable")]
    chosen = order[np.linspace(0, len(order) - 1, NEIGHBOURS).round().astype(int)]
    for layer, cells in zip(detector.layers, layout_of(detector).layers, strict=True):
        wanted = real.cells[chosen][:, cells.cells]
        distance, nearest = nearest_distances(wanted, generated.cells[:, cells.cells])
        sides = {
            "real": (wanted, [f"{x:.3g} {detector.unit}" for x in wanted.sum(axis=1)]),
            "generated": (
                generated.cells[nearest][:, cells.cells],
                [f"distance {d:.3g}" for d in distance],
            ),
        }
        rows = {
            name: (images.reshape(-1, *layer.shape), texts)
            for name, (images, texts) in sides.items()
        }
        drawn = plots.shower_rows(rows, layer, label=quantity_of(real))
        yield drawn, f"{layer.name}: energy of the real showers, distance of the generated ones."


def _traversals(detector: Detector, moved: Sequence[Traversal]) -> Iterator[Picture]:
    shown: set[int] = set()
    for one in moved:
        if one.attribute.column in shown:
            continue
        shown.add(one.attribute.column)
        name = detector.conditions[one.attribute.column].name
        for drawn, what in zip(
            traversal_pictures(detector, one), ("averages", "differences"), strict=True
        ):
            yield Picture(plots.data_uri(drawn), f"{name}: {what}.", wide=True)


def traversal_pictures(detector: Detector, moved: Traversal) -> tuple[Figure, Figure]:
    """Averages at each value, and their differences to the middle one."""
    condition = detector.conditions[moved.attribute.column]
    titles = [f"{condition.name} = {value:.3g} {condition.unit}" for value in moved.condition]
    middle = moved.images[len(moved.images) // 2]
    means, differences = (
        {title: _of_one(detector, image) for title, image in zip(titles, images, strict=True)}
        for images in (moved.images, moved.images - middle)
    )
    unit = detector.unit
    return (
        plots.layer_images(means, detector.layers, label=unit),
        plots.layer_images(differences, detector.layers, label=unit, difference=True),
    )


def mean_layers(showers: Showers) -> dict[str, Values]:
    """Mean image of each layer.  {layer: (nx, ny)}"""
    return _of_one(showers.detector, showers.cells.mean(axis=0, dtype=np.float64))


def _of_one(detector: Detector, cells: Values) -> dict[str, Values]:
    """Images of the layers of one flat shower.  (K,)"""
    return {name: images[0] for name, images in detector.split(cells[None, :]).items()}
