"""Results on disk: one HTML page that needs nothing else, and its numbers beside it.

The pictures of a comparison: distributions overlaid, the same particles side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.errors import UsageError
from caloforge.evaluate import resampling
from caloforge.evaluate.attributes import Traversal
from caloforge.evaluate.baselines import REAL
from caloforge.evaluate.comparison import Comparison
from caloforge.evaluate.paired import Region
from caloforge.evaluate.resampling import Measured
from caloforge.evaluate.result import EvaluationResult
from caloforge.io.files import alone_in, require_possible_file, require_possible_folder, write_aside
from caloforge.report import figures, images, tables
from caloforge.report.pictures import Picture, Section, quantity_of
from caloforge.report.sections import GalleryParticle, pick, sections, spreads_of
from caloforge.report.style import MODEL_COLOURS
from caloforge.report.tables import ranked
from caloforge.reporter import SILENT, Reporter, to_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from caloforge.detector import Layer


MOST_LINES = len(MODEL_COLOURS)
"""Methods that one picture tells apart."""
PER_KIND = 2
"""Particles of each kind that are shown."""


def comparison_sections(comparison: Comparison) -> Iterator[Section]:
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
    real: Showers, samples: Mapping[str, Showers], particle: GalleryParticle, layer: Layer
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


PAGE, NUMBERS = ".html", ".json"
COMPARISON_PAGE, COMPARISON_NUMBERS = "comparison.html", "comparison.json"
GROUPINGS = {"kind": "Kind of particle", "energy": "Energy", "impact": "Impact point"}


def report(
    result: EvaluationResult,
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    traversals: Sequence[Traversal] = (),
    reporter: Reporter = SILENT,
) -> str:
    """The page: summary, comparison with baselines, pictures, all numbers.

    ``real`` and ``generated`` are the showers that were evaluated, ``train`` those trained on,
    ``traversals`` what the generator did while one attribute moved.
    No script, no network.
    """
    finished_sections = []
    # Their pictures are drawn as they are asked for, one by one.
    undrawn = list(sections(result, real, generated, train, traversals))
    with reporter.progress("drawing", len(undrawn), "sections") as advance:
        for section in undrawn:
            pictures = []
            for picture in section.pictures:
                pictures.append(picture)
                advance(0, f"{section.title}, {len(pictures)}")
            finished_sections.append(replace(section, pictures=pictures))
            advance(1, section.title)
    return _rendered(
        "report.html",
        result=result,
        number=_number,
        columns=tables.columns(result),
        counted=tables.showers_text(result),
        differences=tables.printed_differences(result),
        regions=list(_regions(result)),
        short=[row for row in result.two_sample if not row.metric.long],
        long=[row for row in result.two_sample if row.metric.long],
        details=[(metric, tables.detail(result, metric)) for metric in result.metrics],
        sections=finished_sections,
    )


def comparison_page(comparison: Comparison) -> str:
    """The page: table, significances, pictures, all numbers. No script, no network."""
    methods = tables.ranked(comparison)
    compared = [method for method in methods if method.seeds or method.label == REAL]
    count = len(comparison.methods)
    return _rendered(
        "comparison.html",
        comparison=comparison,
        title=f"{comparison.inputs.real.detector.name}: {count} method{'s' * (count > 1)} compared",
        headings=tables.headings(comparison),
        rows=[(method, tables.comparison_row(comparison, method)) for method in methods],
        sentences=[(tables.sentence(one), one.measured.sigma) for one in comparison.contrasts],
        measure=next(m.title for m in comparison.metrics if m.name == comparison.measure),
        sections=list(comparison_sections(comparison)),
        details=[
            (metric.label, [tables.dashed(method, metric.name) for method in compared])
            for metric in comparison.metrics
        ],
        compared=compared,
    )


def _rendered(template: str, **values: Any) -> str:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("caloforge.report")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(template).render(**values)


def _number(value: float, error: float) -> str:
    """A difference with its error, a word where it is undefined."""
    if not math.isfinite(value):
        return "undefined"
    return str(Measured(value, error if math.isfinite(error) and error > 0 else None))


def _regions(result: EvaluationResult) -> Iterator[tuple[str, list[Region]]]:
    """Regions by what they group."""
    for grouping in dict.fromkeys(region.grouping for region in result.regions):
        yield GROUPINGS[grouping], [r for r in result.regions if r.grouping == grouping]


def check_out(out: Path | None, *, overwrite: bool = False) -> None:
    """Raise UsageError before hours of work when the report could not be written in the end."""
    if out is None:
        return
    if out.suffix.lower() != PAGE:
        raise UsageError(f"--out {out}: name a report that ends in {PAGE}")
    for path in (out, out.with_suffix(NUMBERS)):
        require_possible_file(path, overwrite=overwrite)


def check_comparison_out(out: Path | None, *, overwrite: bool = False) -> None:
    """Raise UsageError before the work when the comparison could not be written in the end."""
    if out is None:
        return
    require_possible_folder(out)
    for name in (COMPARISON_PAGE, COMPARISON_NUMBERS):
        require_possible_file(out / name, overwrite=overwrite)


def write_report(
    out: str | Path,
    result: EvaluationResult,
    real: Showers,
    generated: Showers,
    *,
    train: Showers | None = None,
    traversals: Sequence[Traversal] = (),
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> None:
    """Write the page to ``out`` and the result as JSON beside it."""
    out = Path(out)
    check_out(out, overwrite=overwrite)
    page = report(result, real, generated, train, traversals, reporter)
    _write({out.with_suffix(NUMBERS): result.to_json() + "\n", out: page}, overwrite)


def write_comparison(out: str | Path, comparison: Comparison, *, overwrite: bool = False) -> None:
    """Write the page and the numbers into a folder."""
    out = Path(out)
    check_comparison_out(out, overwrite=overwrite)
    page, numbers = comparison_page(comparison), to_json(comparison.record) + "\n"
    _write({out / COMPARISON_NUMBERS: numbers, out / COMPARISON_PAGE: page}, overwrite)


def _write(texts: Mapping[Path, str], overwrite: bool) -> None:
    """Write all files or none, and no other process's between them, in one folder."""
    with alone_in(next(iter(texts)).parent), ExitStack() as stack:
        for path, text in texts.items():
            part = stack.enter_context(write_aside(path, overwrite=overwrite))
            part.write_text(text, encoding="utf-8")
