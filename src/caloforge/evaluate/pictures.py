"""The pictures of a report, section by section: showers, diversity, distributions, means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge import plots
from caloforge.detector import Layer
from caloforge.evaluate import gallery, repeats
from caloforge.evaluate.gallery import Picked, Spreads
from caloforge.evaluate.judgement import REAL, Judgement
from caloforge.evaluate.layered_pictures import layered_sections, mean_layers
from caloforge.evaluate.observables import Observed, observables, observe
from caloforge.evaluate.physics_pictures import physics_sections
from caloforge.evaluate.picture import Picture, Section, quantity_of
from caloforge.evaluate.regions import kind_name
from caloforge.evaluate.traversal import Traversal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
SINGLE = "single showers"
MANY_LAYERS = 1
"""Detectors with more layers show one particle of each kind."""


def sections(
    judgement: Judgement,
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    moved: Sequence[Traversal] = (),
) -> Iterator[Section]:
    """The pictures of the page, section by section."""
    names, _ = repeats.slots(real.particle)
    shared = np.intersect1d(names, generated.particle)
    real, generated = (
        showers.rows(np.flatnonzero(np.isin(showers.particle, shared)))
        for showers in (real, generated)
    )
    seen = observe(real, judgement.scheme), observe(generated, judgement.scheme)
    spreads = gallery.spreads_of(real, generated)
    labels = " · ".join(real.detector.scheme(judgement.scheme).labels)
    for kind, pictures in _showers(judgement, real, generated, seen, spreads).items():
        text = SHOWERS_TEXT[kind]
        if kind != SINGLE or len(real.detector.layers) == MANY_LAYERS:
            text += f" Under each shower: {labels} ({judgement.scheme})."
        yield Section(f"Showers: {kind}", text, tuple(pictures))
    yield _diversity(judgement, spreads)
    yield _histograms(judgement, real, generated, seen)
    yield from physics_sections(real, generated, seen, train, judgement)
    yield from layered_sections(real, generated, train, moved)
    yield Section("Mean images", "Over all judged showers.", tuple(_means(real, generated)))


SHOWERS_TEXT = {
    "consistent": "Particles whose real showers agree with one another.",
    "diverse": "Particles whose real showers differ most: the generator should differ as much.",
    SINGLE: "No particle has repeats: one shower of some particles.",
}


def _showers(
    judgement: Judgement,
    real: Showers,
    generated: Showers,
    seen: tuple[Observed, Observed],
    spreads: Spreads,
) -> dict[str, list[Picture]]:
    """Real beside generated showers of chosen particles, by kind of particle."""
    found: dict[str, list[Picture]] = {}
    layers = real.detector.layers
    for picked in gallery.pick(real, generated, spreads):
        pictures = found.setdefault(picked.kind, [])
        if len(layers) > MANY_LAYERS and picked.kind == SINGLE:
            pictures.append(_one_shower(real, generated, picked))
            continue
        if len(layers) > MANY_LAYERS and len(pictures) >= len(layers):
            continue
        for layer in layers:
            drawn = _shower_rows(real, generated, seen, picked, layer)
            caption = _described(real, picked) + _of_layer(real, layer)
            pictures.append(Picture(plots.data_uri(drawn), caption))
    return found


def _one_shower(real: Showers, generated: Showers, picked: Picked) -> Picture:
    """One real beside one generated shower, all layers."""
    columns = {
        name: mean_layers(showers.rows(index[:1]))
        for name, showers, index in (
            ("real", real, picked.real),
            ("generated", generated, picked.generated),
        )
    }
    drawn = plots.layer_images(columns, real.detector.layers, label=quantity_of(real))
    return Picture(plots.data_uri(drawn), f"{_described(real, picked)}.")


def _shower_rows(
    real: Showers,
    generated: Showers,
    seen: tuple[Observed, Observed],
    picked: Picked,
    layer: Layer,
) -> Figure:
    """The picture of one particle in one layer."""
    rows = {}
    for name, showers, observed, index in (
        ("real", real, seen[0], picked.real),
        ("generated", generated, seen[1], picked.generated),
    ):
        sums = [_in_lines(observed.channels[row]) for row in index]
        rows[name] = (showers.detector.split(showers.cells[index])[layer.name], sums)
    return plots.shower_rows(rows, layer, label=quantity_of(real))


def _in_lines(sums: Values) -> str:
    """Channel sums, three a line."""
    texts = [f"{value:.4g}" for value in sums]
    return "\n".join(" · ".join(texts[n : n + 3]) for n in range(0, len(texts), 3))


def _described(real: Showers, picked: Picked) -> str:
    """The particle in words: its number, kind and first condition."""
    row = int(picked.real[0])
    condition = real.detector.conditions[0]
    kind = "" if real.pdg is None else f"{kind_name(int(real.pdg[row]))}, "
    value = f"{condition.name} {real.conditions[row, 0]:.4g} {condition.unit}"
    return f"Particle {picked.particle}: {kind}{value}"


def _diversity(judgement: Judgement, spreads: Spreads) -> Section:
    used = spreads.numbers[np.isfinite(spreads.real)]
    if not len(used):
        return Section("Diversity", "No particle has repeats: nothing can be said.", ())
    drawn = plots.diversity_plot(
        spreads.real,
        spreads.generated,
        spreads.total,
        unit=judgement.unit,
        slope=judgement.measured("spread_slope").value,
    )
    caption = (
        f"A point a particle, {np.median(used):.0f} real and as many generated showers: standard "
        "deviation over its showers, summed over cells. Dashed: slope "
        f"{judgement.measured('spread_slope')} ({judgement.numbers}); correlation at fixed total "
        f"{judgement.measured('spread_correlation')}."
    )
    text = "Generated against real spread; on the diagonal they are alike."
    return Section("Diversity", text, (Picture(plots.data_uri(drawn), caption),))


def _histograms(
    judgement: Judgement, real: Showers, generated: Showers, seen: tuple[Observed, Observed]
) -> Section:
    """Channel sums and shapes, with ratios."""
    _, slot, other = repeats.shared_slots(real.particle, generated.particle)
    particles = int(slot.max()) + 1
    pictures = []
    for title, unit, measure, values in _columns(judgement, real, seen):
        drawn = plots.ratio_histogram(
            (values[0], slot),
            {"generated": (values[1], other)},
            particles,
            label=f"{title} [{unit}]",
            whole=real.detector.counts and unit == judgement.unit,
        )
        caption = f"{title}: W1 {judgement.measured(measure)} {unit}"
        floor = judgement.measured(measure, REAL)
        caption += f", real against real {floor} ({judgement.numbers})." if floor.value else "."
        pictures.append(Picture(plots.data_uri(drawn), caption))
    text = (
        "Grey: real. Errors: whole particles drawn again; in the ratio, the same particles on both "
        "sides. The outermost bins hold all that lies beyond."
    )
    return Section("Distributions", text, tuple(pictures))


def _columns(
    judgement: Judgement, real: Showers, seen: tuple[Observed, Observed]
) -> Iterator[tuple[str, str, str, list[Values]]]:
    """Title, unit, measure and both samples of everything that gets a histogram."""
    for number, label in enumerate(real.detector.scheme(judgement.scheme).labels):
        sums = [observed.channels[:, number] for observed in seen]
        yield f"{label} ({judgement.scheme})", judgement.unit, f"w1_{label}", sums
    for observable in observables(real.detector):
        if observable.name != "empty":
            values = [observed.values[observable.name] for observed in seen]
            unit = observable.unit or judgement.unit
            yield observable.title, unit, f"w1_{observable.name}", values


def _means(real: Showers, generated: Showers) -> Iterator[Picture]:
    """Mean images of all layers, and their difference."""
    detector, pair = real.detector, (mean_layers(real), mean_layers(generated))
    label = f"mean {quantity_of(real)} a cell"
    excess = {name: pair[1][name] - pair[0][name] for name in pair[0]}
    if len(detector.layers) > MANY_LAYERS:
        both = dict(zip(("real", "generated"), pair, strict=True))
        drawn = plots.layer_images(both, detector.layers, label=label)
        yield Picture(plots.data_uri(drawn), "Means of the real and of the generated showers.")
        one = {"generated - real": excess}
        drawn = plots.layer_images(one, detector.layers, label=label, difference=True)
        yield Picture(plots.data_uri(drawn), DIFFERENCE)
        return
    (layer,) = detector.layers
    images = [mean[layer.name] for mean in pair]
    brightest = max(image.max() for image in images)
    for name, image in zip(("real", "generated"), images, strict=True):
        drawn = plots.mean_image(image, layer, title=name, label=label, brightest=brightest)
        yield Picture(plots.data_uri(drawn), f"Mean of the {name} showers.")
    drawn = plots.difference_image(excess[layer.name], layer, title="generated - real", label=label)
    yield Picture(plots.data_uri(drawn), DIFFERENCE)


DIFFERENCE = "Difference: red where too much is generated."


def _of_layer(real: Showers, layer: Layer) -> str:
    """The layer's name where there are several."""
    return f", {layer.name}" if len(real.detector.layers) > 1 else ""
