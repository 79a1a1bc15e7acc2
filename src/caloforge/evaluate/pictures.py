"""The pictures of a report, section by section: showers, diversity, distributions, means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge import plots
from caloforge.detector import Layer
from caloforge.evaluate import gallery, repeats
from caloforge.evaluate.gallery import Picked, Spreads
from caloforge.evaluate.judgement import REAL, Judgement
from caloforge.evaluate.observables import Observed, observables, observe
from caloforge.evaluate.physics_pictures import physics_sections
from caloforge.evaluate.picture import Picture, Section, quantity_of
from caloforge.evaluate.regions import kind_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
MANY_LAYERS = 1
"""Detectors with more layers show one particle of each kind."""


def sections(
    judgement: Judgement, real: Showers, generated: Showers, train: Showers | None = None
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
        text = f"{SHOWERS_TEXT[kind]} Under each shower: {labels} ({judgement.scheme})."
        yield Section(f"Showers: {kind}", text, tuple(pictures))
    yield _diversity(judgement, spreads)
    yield _histograms(judgement, real, generated, seen)
    yield from physics_sections(real, generated, seen, train, judgement)
    yield Section("Mean images", "Over all judged showers.", tuple(_means(real, generated)))


SHOWERS_TEXT = {
    "consistent": "Particles whose real showers agree with one another.",
    "diverse": "Particles whose real showers differ most: the generator should differ as much.",
    "single showers": "No particle has repeats: one shower of some particles.",
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
        if len(layers) > MANY_LAYERS and len(pictures) >= len(layers):
            continue
        for layer in layers:
            drawn = _shower_rows(real, generated, seen, picked, layer)
            caption = _described(real, picked) + _of_layer(real, layer)
            pictures.append(Picture(plots.data_uri(drawn), caption))
    return found


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
    detector = real.detector
    means = [
        {name: images[0] for name, images in detector.split(_mean(showers)).items()}
        for showers in (real, generated)
    ]
    label = f"mean {quantity_of(real)}"
    for layer in detector.layers:
        pair = [mean[layer.name] for mean in means]
        brightest = max(image.max() for image in pair)
        suffix = _of_layer(real, layer)
        for name, image in zip(("real", "generated"), pair, strict=True):
            drawn = plots.mean_image(
                image, layer, title=f"{name}{suffix}", label=label, brightest=brightest
            )
            yield Picture(plots.data_uri(drawn), f"Mean of the {name} showers{suffix}.")
        drawn = plots.difference_image(
            pair[1] - pair[0], layer, title=f"generated - real{suffix}", label=label
        )
        yield Picture(plots.data_uri(drawn), "Difference: red where too much is generated.")


def _mean(showers: Showers) -> Values:
    mean: Values = showers.cells.mean(axis=0, dtype=np.float64)
    return mean[None, :]


def _of_layer(real: Showers, layer: Layer) -> str:
    """The layer's name where there are several."""
    return f", {layer.name}" if len(real.detector.layers) > 1 else ""
