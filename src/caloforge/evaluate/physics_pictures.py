"""Pictures of physics: response, resolution, profile, correlations, events, memory.

Shapes: N showers, K cells, r rings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge import plots
from caloforge.evaluate import repeats
from caloforge.evaluate.correlation import correlations
from caloforge.evaluate.events import SUMMED, events
from caloforge.evaluate.layout import layout_of
from caloforge.evaluate.memorisation import memorisation
from caloforge.evaluate.observables import Observed
from caloforge.evaluate.picture import Picture, Section, quantity_of
from caloforge.evaluate.profile import radial_profile, ring_edges
from caloforge.evaluate.response import Response, energy_bands, response

if TYPE_CHECKING:
    from caloforge.data.showers import Showers
    from caloforge.evaluate.judgement import Judgement
    from caloforge.evaluate.measured import Measured

Values = NDArray[np.float64]
PROFILED_ROWS = 2_000
REMEMBERED = 3
"""Generated showers that are drawn beside their nearest training shower."""


def physics_sections(
    real: Showers,
    generated: Showers,
    seen: tuple[Observed, Observed],
    train: Showers | None,
    judgement: Judgement,
) -> Iterator[Section]:
    """The sections that a detector and its files allow."""
    rng = np.random.default_rng([judgement.seed, 0x91C])
    if not real.detector.signed:
        pictures = (*_response(real, generated, rng), _profile(real, generated, rng))
        yield Section("Response and profile", "Against the first condition.", pictures)
    peaks = tuple(_events(real, generated, rng))
    if peaks:
        text = "Sums over spectators near beam energy, as a collision sends them."
        yield Section("Events", text, peaks)
    matrices = tuple(_matrices(real.detector.scheme(judgement.scheme).labels, seen))
    yield Section("Correlations", "Of channels and observables.", matrices)
    if train is not None and len(train):
        yield _memory(real, generated, train, rng)


def _response(real: Showers, generated: Showers, rng: np.random.Generator) -> Iterator[Picture]:
    """Mean total over energy, and its relative width."""
    _, slot, other = repeats.shared_slots(real.particle, generated.particle)
    edges = energy_bands(real.conditions[np.unique(slot, return_index=True)[1], 0])
    found = [
        response(s.total(), s.conditions[:, 0], slots, edges, rng)
        for s, slots in ((real, slot), (generated, other))
    ]
    condition = real.detector.conditions[0]
    energy = f"{condition.name} [{condition.unit}]"
    unit = f"{real.detector.unit}/{condition.unit}"
    for name, label in (
        ("response", f"mean total / {condition.name} [{unit}]"),
        ("resolution", "relative resolution"),
    ):
        lines = [_line(one, getattr(one, name)) for one in found]
        drawn = plots.energy_lines(lines[0], {"generated": lines[1]}, label=label, energy=energy)
        yield Picture(plots.data_uri(drawn), f"{name.capitalize()} against {condition.name}.")


def _line(found: Response, numbers: tuple[Measured, ...]) -> tuple[Values, Values, Values]:
    values = [np.nan if n.value is None else n.value for n in numbers]
    errors = [0.0 if n.error is None else n.error for n in numbers]
    return found.energy, np.array(values), np.array(errors)


def _profile(real: Showers, generated: Showers, rng: np.random.Generator) -> Picture:
    layout = layout_of(real.detector)
    edges = ring_edges(layout)
    means = []
    for showers in (real, generated):
        rows = rng.permutation(len(showers))[:PROFILED_ROWS]
        profile = radial_profile(showers.cells[rows], layout, edges)
        known = profile[np.isfinite(profile).all(axis=1)]
        known = known if len(known) else np.zeros((1, len(edges) - 1))
        means.append((known.mean(axis=0), known.std(axis=0) / np.sqrt(len(known))))
    drawn = plots.radial_profiles(means[0], {"generated": means[1]}, edges)
    return Picture(plots.data_uri(drawn), "Radial profile about the centre of each shower.")


def _events(real: Showers, generated: Showers, rng: np.random.Generator) -> Iterator[Picture]:
    sides: dict[str, dict[str, tuple[Values, Values]]] = {}
    for event in events(real, generated, rng=rng):
        if event.number in SUMMED:
            sides.setdefault(event.side, {})[f"{event.number}"] = (event.real, event.generated)
    for side, peaks in sides.items():
        drawn = plots.event_peaks(peaks, label=f"sum over spectators [{real.detector.unit}]")
        yield Picture(plots.data_uri(drawn), f"Side {side}: sums of {', '.join(peaks)} spectators.")


def _matrices(labels: tuple[str, ...], seen: tuple[Observed, Observed]) -> Iterator[Picture]:
    shapes = tuple(name for name in seen[0].values if name != "empty")
    tables = [
        np.column_stack([one.channels, *(one.values[name] for name in shapes)]) for one in seen
    ]
    found = correlations((*labels, *shapes), tables[0], tables[1])
    for matrix, title in (
        (found.real, "real"),
        (found.generated, "generated"),
        (found.difference, "generated - real"),
    ):
        known = np.abs(matrix[np.isfinite(matrix)])
        largest = max(0.1, float(known.max(initial=0)))
        drawn = plots.correlation_matrix(matrix, found.names, title=title, largest=largest)
        caption = f"Correlations, {title}."
        if title == "generated - real" and found.largest is not None:
            first, second, size = found.largest
            caption = f"Difference; the largest is {size:+.2f}, of {first} and {second}."
        yield Picture(plots.data_uri(drawn), caption)


def _memory(real: Showers, generated: Showers, train: Showers, rng: np.random.Generator) -> Section:
    """Generated showers beside the training shower that is nearest (arXiv:1712.10321, Fig. 9)."""
    memory = memorisation(real, generated, train, rng=rng)
    brightness = generated.cells[memory.generated_rows].sum(axis=1, dtype=np.float64)
    bright = np.flatnonzero(brightness >= np.median(brightness))
    chosen = bright[np.argsort(memory.distance[bright], kind="stable")[:REMEMBERED]]
    pictures = []
    for layer in real.detector.layers:
        rows = {}
        for name, cells in (
            ("generated", generated.cells[memory.generated_rows[chosen]]),
            ("training", train.cells[memory.nearest[chosen]]),
        ):
            images = real.detector.split(cells)[layer.name]
            texts = [
                f"distance {d:.4g}" if name == "training" else "" for d in memory.distance[chosen]
            ]
            rows[name] = (images, texts)
        drawn = plots.shower_rows(rows, layer, label=quantity_of(real))
        caption = "Bright generated showers over their nearest training showers"
        pictures.append(Picture(plots.data_uri(drawn), f"{caption}, {layer.name}."))
    text = (
        f"Distance to the nearest training shower over that of real showers: {memory.ratio}; "
        f"copies {memory.copies}, of real showers {memory.natural}."
    )
    return Section("Memory", text, tuple(pictures))
