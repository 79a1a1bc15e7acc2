"""Sections of a report: showers, diversity, distributions, physics, mean images.

Shapes: N showers, K cells, P particles with their real and generated rows, r rings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Layer
from caloforge.evaluate import resampling
from caloforge.evaluate.attributes import Traversal
from caloforge.evaluate.baselines import REAL
from caloforge.evaluate.metrics import diversity
from caloforge.evaluate.metrics.energy import (
    SUMMED,
    Response,
    energy_bands,
    events,
    lit_particles,
    response,
)
from caloforge.evaluate.metrics.neighbours import memorisation
from caloforge.evaluate.metrics.two_sample import correlations
from caloforge.evaluate.observables import (
    Observed,
    layout_of,
    observables,
    observe,
    radial_profile,
    ring_edges,
)
from caloforge.evaluate.paired import kind_name
from caloforge.evaluate.resampling import Indices
from caloforge.evaluate.result import EvaluationResult
from caloforge.report import figures, images
from caloforge.report.layered_sections import layered_sections, mean_layers
from caloforge.report.pictures import Picture, Section, quantity_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from caloforge.data.showers import Showers
    from caloforge.evaluate.resampling import Measured


Values = NDArray[np.float64]
SHOWN_ROWS = 3
"""Showers of a particle in a picture."""
CONSISTENT = (0.05, 0.2, 0.35)
DIVERSE = (0.95, 0.85, 0.75)
"""Quantiles of the relative spread at which particles are taken."""


@dataclass(frozen=True)
class Spreads:
    """Spread of each particle at equal numbers of showers, NaN without repeats; each (P,)."""

    particle: Indices
    real: Values
    generated: Values
    total: Values
    """Mean total of the real showers."""
    n_showers: Indices


@dataclass(frozen=True)
class GalleryParticle:
    """A particle, and the rows of its showers that are shown."""

    particle: int
    real: Indices
    generated: Indices
    kind: str


def spreads_of(real: Showers, generated: Showers) -> Spreads:
    """Spreads over as many showers on both sides.  (P,)"""
    names, particle_index, other = resampling.index_shared_particles(
        real.particle, generated.particle
    )
    count = len(names)
    n_showers = np.minimum(
        *(np.bincount(s[s >= 0], minlength=count) for s in (particle_index, other)),
    )
    grouped = np.repeat(np.arange(count), n_showers)
    rng = np.random.default_rng(0)
    rows = [resampling.draw(s, n_showers, rng) for s in (particle_index, other)]
    cells = real.cells[rows[0]], generated.cells[rows[1]]
    light = np.bincount(grouped, cells[0].sum(axis=1, dtype=np.float64), minlength=count)
    return Spreads(
        particle=names,
        real=diversity.pixel_spread(cells[0], grouped, count),
        generated=diversity.pixel_spread(cells[1], grouped, count),
        total=light / np.maximum(n_showers, 1),
        n_showers=n_showers,
    )


def pick(real: Showers, generated: Showers, spreads: Spreads) -> list[GalleryParticle]:
    """Consistent and diverse particles, by the spread over the square root of the total.

    Only bright particles (above the median) can be told apart; without repeats, bright ones.
    """
    relative = spreads.real / np.sqrt(np.maximum(spreads.total, 1e-30))
    bright = (spreads.total > 0) & (spreads.total >= np.median(spreads.total))
    candidates = np.flatnonzero(bright & np.isfinite(relative))
    if len(candidates):
        order = candidates[np.argsort(relative[candidates], kind="stable")]
        quantiles = [(q, "consistent") for q in CONSISTENT] + [(q, "diverse") for q in DIVERSE]
    else:
        order = np.argsort(spreads.total, kind="stable")
        quantiles = [(q, "single showers") for q in DIVERSE]
    places = [(order[round(q * (len(order) - 1))], kind) for q, kind in quantiles]
    unique = dict(reversed([(int(place), kind) for place, kind in places]))
    return [
        GalleryParticle(
            int(spreads.particle[place]),
            np.flatnonzero(real.particle == spreads.particle[place])[:SHOWN_ROWS],
            np.flatnonzero(generated.particle == spreads.particle[place])[:SHOWN_ROWS],
            kind,
        )
        for place, kind in reversed(unique.items())
    ]


SINGLE = "single showers"
MANY_LAYERS = 1
"""Detectors with more layers show one particle of each kind."""


def sections(
    result: EvaluationResult,
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    traversals: Sequence[Traversal] = (),
) -> Iterator[Section]:
    """The pictures of the page, section by section."""
    names, _ = resampling.index_particles(real.particle)
    common = np.intersect1d(names, generated.particle)
    real, generated = (
        showers.rows(np.flatnonzero(np.isin(showers.particle, common)))
        for showers in (real, generated)
    )
    observed = observe(real, result.scheme), observe(generated, result.scheme)
    spreads = spreads_of(real, generated)
    labels = " · ".join(real.detector.scheme(result.scheme).labels)
    gallery_particles = pick(real, generated, spreads)
    for kind in dict.fromkeys(particle.kind for particle in gallery_particles):
        particles = [particle for particle in gallery_particles if particle.kind == kind]
        pictures = _showers(real, generated, observed, particles)
        text = SHOWERS_TEXT[kind]
        if kind != SINGLE or len(real.detector.layers) == MANY_LAYERS:
            text += f" Under each shower: {labels} ({result.scheme})."
        yield Section(f"Showers: {kind}", text, pictures)
    yield _diversity(result, spreads)
    pictures = _histograms(result, real, generated, observed)
    yield Section("Distributions", HISTOGRAMS, pictures)
    yield from physics_sections(real, generated, observed, train, result)
    yield from layered_sections(real, generated, train, traversals)
    yield Section("Mean images", "Over all showers of the evaluation.", _means(real, generated))


SHOWERS_TEXT = {
    "consistent": "Particles whose real showers agree with one another.",
    "diverse": "Particles whose real showers differ most: the generator should differ as much.",
    SINGLE: "No particle has repeats: one shower of some particles.",
}


def _showers(
    real: Showers,
    generated: Showers,
    observed: tuple[Observed, Observed],
    particles: Sequence[GalleryParticle],
) -> Iterator[Picture]:
    """Real beside generated showers of particles of one kind."""
    layers = real.detector.layers
    several = len(layers) > MANY_LAYERS
    if several and particles[0].kind == SINGLE:
        yield from (_one_shower(real, generated, particle) for particle in particles)
        return
    for particle in particles[:1] if several else particles:
        for layer in layers:
            plot = _shower_rows(real, generated, observed, particle, layer)
            caption = _described(real, particle) + _of_layer(real, layer)
            yield Picture.of(plot, caption)


def _one_shower(real: Showers, generated: Showers, particle: GalleryParticle) -> Picture:
    """One real beside one generated shower, all layers."""
    columns = {
        name: mean_layers(showers.rows(index[:1]))
        for name, showers, index in (
            ("real", real, particle.real),
            ("generated", generated, particle.generated),
        )
    }
    plot = images.layer_images(columns, real.detector.layers, label=quantity_of(real))
    return Picture.of(plot, f"{_described(real, particle)}.")


def _shower_rows(
    real: Showers,
    generated: Showers,
    observed: tuple[Observed, Observed],
    particle: GalleryParticle,
    layer: Layer,
) -> Figure:
    """The picture of one particle in one layer."""
    rows = {}
    for name, showers, one, index in (
        ("real", real, observed[0], particle.real),
        ("generated", generated, observed[1], particle.generated),
    ):
        sums = [_in_lines(one.channels[row]) for row in index]
        rows[name] = (showers.detector.split(showers.cells[index])[layer.name], sums)
    return images.shower_rows(rows, layer, label=quantity_of(real))


def _in_lines(sums: Values) -> str:
    """Channel sums, three a line."""
    texts = [f"{value:.4g}" for value in sums]
    return "\n".join(" · ".join(texts[n : n + 3]) for n in range(0, len(texts), 3))


def _described(real: Showers, particle: GalleryParticle) -> str:
    """The particle in words: its number, kind and first condition."""
    row = int(particle.real[0])
    condition = real.detector.conditions[0]
    kind = "" if real.pdg is None else f"{kind_name(int(real.pdg[row]))}, "
    value = f"{condition.name} {real.conditions[row, 0]:.4g} {condition.unit}"
    return f"Particle {particle.particle}: {kind}{value}"


def _diversity(result: EvaluationResult, spreads: Spreads) -> Section:
    counts = spreads.n_showers[np.isfinite(spreads.real)]
    if not len(counts):
        return Section("Diversity", "No particle has repeats: nothing can be said.", ())
    plot = figures.diversity_plot(
        spreads.real,
        spreads.generated,
        spreads.total,
        unit=result.unit,
        slope=result.measured("spread_slope").value,
    )
    caption = (
        f"A point a particle, {np.median(counts):.0f} real and as many generated showers: standard "
        "deviation over its showers, summed over cells. Dashed: slope "
        f"{result.measured('spread_slope')} ({result.n_showers}); correlation at fixed total "
        f"{result.measured('spread_correlation')}."
    )
    text = "Generated against real spread; on the diagonal they are alike."
    return Section("Diversity", text, (Picture.of(plot, caption),))


HISTOGRAMS = (
    "Grey: real. Errors: whole particles drawn again; in the ratio, the same particles on both "
    "sides. The outermost bins hold all that lies beyond."
)


def _histograms(
    result: EvaluationResult, real: Showers, generated: Showers, observed: tuple[Observed, Observed]
) -> Iterator[Picture]:
    """Channel sums and shapes, with ratios."""
    _, particle_index, other = resampling.index_shared_particles(real.particle, generated.particle)
    particles = int(particle_index.max()) + 1
    for title, unit, measure, values in _columns(result, real, observed):
        plot = figures.ratio_histogram(
            (values[0], particle_index),
            {"generated": (values[1], other)},
            particles,
            label=f"{title} [{unit}]",
            whole=real.detector.counts and unit == result.unit,
        )
        caption = f"{title}: W1 {result.measured(measure)} {unit}"
        floor = result.measured(measure, REAL)
        caption += f", real against real {floor} ({result.n_showers})." if floor.value else "."
        yield Picture.of(plot, caption)


def _columns(
    result: EvaluationResult, real: Showers, observed: tuple[Observed, Observed]
) -> Iterator[tuple[str, str, str, list[Values]]]:
    """Title, unit, measure and both samples of everything that gets a histogram."""
    for number, label in enumerate(real.detector.scheme(result.scheme).labels):
        sums = [one.channels[:, number] for one in observed]
        yield f"{label} ({result.scheme})", result.unit, f"w1_{label}", sums
    for observable in observables(real.detector):
        if observable.name != "empty":
            values = [one.values[observable.name] for one in observed]
            unit = observable.unit or result.unit
            yield observable.title, unit, f"w1_{observable.name}", values


def _means(real: Showers, generated: Showers) -> Iterator[Picture]:
    """Mean images of all layers, and their difference."""
    detector, pair = real.detector, (mean_layers(real), mean_layers(generated))
    label = f"mean {quantity_of(real)} a cell"
    excess = {name: pair[1][name] - pair[0][name] for name in pair[0]}
    if len(detector.layers) > MANY_LAYERS:
        both = dict(zip(("real", "generated"), pair, strict=True))
        plot = images.layer_images(both, detector.layers, label=label)
        yield Picture.of(plot, "Means of the real and of the generated showers.")
        one = {"generated - real": excess}
        plot = images.layer_images(one, detector.layers, label=label, difference=True)
        yield Picture.of(plot, DIFFERENCE)
        return
    (layer,) = detector.layers
    means = [mean[layer.name] for mean in pair]
    brightest = max(image.max() for image in means)
    for name, image in zip(("real", "generated"), means, strict=True):
        plot = images.mean_image(image, layer, title=name, label=label, brightest=brightest)
        rough = (
            f"; cells differ from their neighbours by {roughness(image):.0%} (rms of the logarithm)"
        )
        yield Picture.of(plot, f"Mean of the {name} showers{rough}.")
    plot = images.difference_image(excess[layer.name], layer, title="generated - real", label=label)
    yield Picture.of(plot, DIFFERENCE)


def roughness(image: Values) -> float:
    """Root mean square of the logarithm of a cell less that of its four neighbours.  (nx, ny)

    A generator whose last layer has a fixed pattern of cells is rougher than the real showers.
    """
    logs = np.log(np.maximum(image, 1e-4 * float(image.max()) or 1.0))
    if min(logs.shape) < 3:
        return 0.0
    around = logs[:-2, 1:-1] + logs[2:, 1:-1] + logs[1:-1, :-2] + logs[1:-1, 2:]
    return float(np.sqrt(np.mean((logs[1:-1, 1:-1] - around / 4) ** 2)))


DIFFERENCE = "Difference: red where too much is generated."


def _of_layer(real: Showers, layer: Layer) -> str:
    """The layer's name where there are several."""
    return f", {layer.name}" if len(real.detector.layers) > 1 else ""


PROFILED_ROWS = 2_000
REMEMBERED = 3
"""Generated showers that are drawn beside their nearest training shower."""


def physics_sections(
    real: Showers,
    generated: Showers,
    observed: tuple[Observed, Observed],
    train: Showers | None,
    result: EvaluationResult,
) -> Iterator[Section]:
    """The sections that a detector and its files allow."""
    rng = np.random.default_rng([result.seed, 0x91C])
    if not real.detector.signed:
        pictures = (*_response(real, generated, rng), _profile(real, generated, rng))
        yield Section("Response and profile", "Against the first condition.", pictures)
    peaks = tuple(_events(real, generated, rng))
    if peaks:
        text = "Sums over spectators near beam energy, as a collision sends them."
        yield Section("Events", text, peaks)
    matrices = tuple(_matrices(real.detector.scheme(result.scheme).labels, observed))
    yield Section("Correlations", "Of channels and observables.", matrices)
    if train is not None and len(train):
        yield _memory(real, generated, train, rng)


def _response(real: Showers, generated: Showers, rng: np.random.Generator) -> Iterator[Picture]:
    """Mean total over energy, and its relative width."""
    _, particle_index, other = resampling.index_shared_particles(real.particle, generated.particle)
    edges = energy_bands(real.conditions[np.unique(particle_index, return_index=True)[1], 0])
    sides = ((real, particle_index), (generated, other))
    particles = int(particle_index.max()) + 1
    nonempty = [lit_particles(showers.total(), index, particles) for showers, index in sides]
    responses = [
        response(
            showers.total(),
            showers.conditions[:, 0],
            index,
            edges,
            rng,
            resolved=nonempty[0] & nonempty[1],
        )
        for showers, index in sides
    ]
    condition = real.detector.conditions[0]
    energy = f"{condition.name} [{condition.unit}]"
    unit = f"{real.detector.unit}/{condition.unit}"
    for name, label, note in (
        ("response", f"mean total / {condition.name} [{unit}]", ""),
        ("resolution", "relative resolution", ", of the particles that have light on both sides"),
    ):
        lines = [_line(one, getattr(one, name)) for one in responses]
        plot = figures.energy_lines(lines[0], {"generated": lines[1]}, label=label, energy=energy)
        yield Picture.of(plot, f"{name.capitalize()} against {condition.name}{note}.")


def _line(response: Response, numbers: tuple[Measured, ...]) -> tuple[Values, Values, Values]:
    values = [np.nan if n.value is None else n.value for n in numbers]
    errors = [0.0 if n.error is None else n.error for n in numbers]
    return response.energy, np.array(values), np.array(errors)


def _profile(real: Showers, generated: Showers, rng: np.random.Generator) -> Picture:
    layout = layout_of(real.detector)
    edges = ring_edges(layout)
    means = []
    for showers in (real, generated):
        rows = rng.permutation(len(showers))[:PROFILED_ROWS]
        profile = radial_profile(showers.cells[rows], layout, edges)
        finite = profile[np.isfinite(profile).all(axis=1)]
        finite = finite if len(finite) else np.zeros((1, len(edges) - 1))
        means.append((finite.mean(axis=0), finite.std(axis=0) / np.sqrt(len(finite))))
    plot = figures.radial_profiles(means[0], {"generated": means[1]}, edges)
    return Picture.of(plot, "Radial profile about the centre of each shower.")


def _events(real: Showers, generated: Showers, rng: np.random.Generator) -> Iterator[Picture]:
    sides: dict[str, dict[str, tuple[Values, Values]]] = {}
    for event in events(real, generated, rng=rng):
        if event.number in SUMMED:
            sides.setdefault(event.side, {})[f"{event.number}"] = (event.real, event.generated)
    for side, peaks in sides.items():
        plot = figures.event_peaks(peaks, label=f"sum over spectators [{real.detector.unit}]")
        yield Picture.of(plot, f"Side {side}: sums of {', '.join(peaks)} spectators.")


def _matrices(labels: tuple[str, ...], observed: tuple[Observed, Observed]) -> Iterator[Picture]:
    shapes = tuple(name for name in observed[0].values if name != "empty")
    tables = [
        np.column_stack([one.channels, *(one.values[name] for name in shapes)]) for one in observed
    ]
    matrices = correlations((*labels, *shapes), tables[0], tables[1])
    for matrix, title in (
        (matrices.real, "real"),
        (matrices.generated, "generated"),
        (matrices.difference, "generated - real"),
    ):
        finite = np.abs(matrix[np.isfinite(matrix)])
        largest = max(0.1, float(finite.max(initial=0)))
        plot = figures.correlation_matrix(matrix, matrices.names, title=title, largest=largest)
        caption = f"Correlations, {title}."
        if title == "generated - real" and matrices.largest is not None:
            first, second, size = matrices.largest
            caption = f"Difference; the largest is {size:+.2f}, of {first} and {second}."
        yield Picture.of(plot, caption)


def _memory(real: Showers, generated: Showers, train: Showers, rng: np.random.Generator) -> Section:
    """Generated showers beside the training shower that is nearest (arXiv:1712.10321, Fig. 9)."""
    memory = memorisation(real, generated, train, rng=rng)
    brightness = generated.cells[memory.generated_rows].sum(axis=1, dtype=np.float64)
    bright = np.flatnonzero(brightness >= np.median(brightness))
    nearest = bright[np.argsort(memory.distance[bright], kind="stable")[:REMEMBERED]]
    pictures = []
    for layer in real.detector.layers:
        rows = {}
        for name, cells in (
            ("generated", generated.cells[memory.generated_rows[nearest]]),
            ("training", train.cells[memory.nearest[nearest]]),
        ):
            texts = [
                f"distance {d:.4g}" if name == "training" else "" for d in memory.distance[nearest]
            ]
            rows[name] = (real.detector.split(cells)[layer.name], texts)
        plot = images.shower_rows(rows, layer, label=quantity_of(real))
        caption = "Bright generated showers over their nearest training showers"
        pictures.append(Picture.of(plot, f"{caption}, {layer.name}."))
    text = (
        f"Distance to the nearest training shower over that of real showers: {memory.ratio}; "
        f"copies {memory.copies}, of real showers {memory.natural}."
    )
    return Section("Memory", text, tuple(pictures))
