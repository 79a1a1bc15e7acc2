"""``caloforge evaluate``: a simulator, a run or generated showers against real ones.

``caloforge compare``: runs of several recipes and seeds, evaluated with the same showers.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from caloforge.cli import options
from caloforge.cli.options import (
    Force,
    Json,
    Quiet,
    Seed,
    reporter_of,
    require_heeded,
    shipped_showers,
    showers_file,
)

if TYPE_CHECKING:
    from caloforge.evaluate.inputs import EvaluationInputs
    from caloforge.evaluate.result import EvaluationResult
    from caloforge.reporter import Reporter


Subject = Annotated[
    str,
    typer.Argument(
        metavar="RUN|SIMULATOR|FILE",
        autocompletion=options.simulators,
        help="A run folder, a simulator (folder or shipped name) or a file of generated showers.",
        show_default=False,
    ),
]
Against = Annotated[
    Path,
    typer.Option(
        parser=showers_file,
        metavar="FILE",
        autocompletion=options.samples,
        help="Real showers, or the name of a shipped sample.",
        show_default=False,
    ),
]
Train = Annotated[
    Path | None,
    typer.Option(
        parser=showers_file,
        metavar="FILE",
        help="Showers that baselines draw from; default: what a run trained on.",
    ),
]
WhichPart = Annotated[
    Literal["test", "validation", "train", "all"] | None,
    typer.Option(help="Particles to evaluate on; default: test for a run, all for a file."),
]
Scheme = Annotated[
    str | None, typer.Option(help="Read-out scheme of the channel sums; default: the detector's.")
]
Gate = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|default",
        help="Exit with 4, and the list, if a check of this gate fails. Default: print only.",
    ),
]
Classifier = Annotated[
    Literal["default", "challenge", "none"],
    typer.Option(help="Two-sample classifier; challenge is the full CaloChallenge one, and slow."),
]
Style = Annotated[
    Literal["plain", "alice", "atlas", "cms", "lhcb"],
    typer.Option(help="Look of the figures; all but plain need the extra plots."),
]
Stream = Annotated[
    bool,
    typer.Option("--stream", help="Histograms only, of two files larger than memory."),
]
Wide = Annotated[
    bool, typer.Option("--wide", help="Tables as wide as they are; default: 80 columns.")
]
ToCard = Annotated[
    bool,
    typer.Option(
        "--to-card", help="State the numbers and the gate's answer in the card of the simulator."
    ),
]
Report = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Write the report there (html), numbers beside it (json)."),
]


STREAMED = ("subject", "against", "scheme", "stream", "wide", "quiet", "json")
"""What ``--stream`` heeds."""


def command(
    context: typer.Context,
    subject: Subject,
    against: Against,
    train: Train = None,
    part: WhichPart = None,
    scheme: Scheme = None,
    gate: Gate = None,
    classifier: Classifier = "default",
    style: Style = "plain",
    stream: Stream = False,
    out: Report = None,
    to_card: ToCard = False,
    seed: Seed = 0,
    force: Force = False,
    wide: Wide = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Evaluate showers: distances with floors, errors, a gate, diversity, baselines, pictures."""
    from caloforge.evaluate.gate.limits import DEFAULT, read_gate
    from caloforge.evaluate.inputs import load
    from caloforge.evaluate.noise_floor import FloorCache, default_cache_folder
    from caloforge.simulator.shipped import find_simulator

    reporter = reporter_of(quiet, json)
    if stream:
        require_heeded(context, "--stream", *STREAMED)
        return _stream(subject, against, scheme, reporter)
    _check(out, force, style)
    folder = find_simulator(subject) if to_card else None
    inputs = load(subject, against, train=train, part=part, seed=seed, reporter=reporter)
    inputs.real.detector.scheme(scheme)
    read_gate(gate or DEFAULT, inputs.real.detector)
    reporter.say(f"{len(inputs.generated)} generated against {len(inputs.real)} real showers")
    result = inputs.evaluate(
        scheme=scheme,
        seed=seed,
        gate=gate or DEFAULT,
        classifier=classifier,
        cache=FloorCache(default_cache_folder()),
        reporter=reporter,
    )
    if out is not None:
        _write(out, result, inputs, style, force, reporter)
        reporter.say(f"report: {out}")
    if folder is not None:
        _write_to_card(folder, result, inputs.about["against"], against, reporter)
    return _print(result, reporter, gated=gate is not None, wide=wide)


def _check(out: Path | None, force: bool, style: str) -> None:
    """Raise before hours of work what would go wrong at their end."""
    from caloforge.report import styled
    from caloforge.report.pages import check_out

    check_out(out, overwrite=force)
    with styled(style):
        pass


def _write(
    out: Path,
    result: EvaluationResult,
    inputs: EvaluationInputs,
    style: str,
    force: bool,
    reporter: Reporter,
) -> None:
    from caloforge.report import styled
    from caloforge.report.pages import write_report

    with styled(style):
        write_report(
            out,
            result,
            inputs.real,
            inputs.generated,
            train=inputs.train,
            traversals=inputs.traversals(result.seed),
            overwrite=force,
            reporter=reporter,
        )


def _print(result: EvaluationResult, reporter: Reporter, *, gated: bool, wide: bool) -> None:
    """Print the result; GateFailed where the gate is held and did not pass."""
    from caloforge.errors import GateFailed
    from caloforge.report.tables import COLUMNS, table

    reporter.result(table(result, None if wide else COLUMNS), result.record)
    if gated and result.gate is not None and not result.gate.accepted:
        raise GateFailed(str(result.gate))


def _write_to_card(
    folder: Path, result: EvaluationResult, against: str, file: Path, reporter: Reporter
) -> None:
    from caloforge.evaluate.result import quality_of
    from caloforge.io.files import sha256_of
    from caloforge.simulator.card import CARD, write_quality

    name = against.replace(str(file), file.name)
    quality = quality_of(result, name, sha256_of(file) if file.is_file() else "")
    write_quality(folder, quality, () if result.gate is None else result.gate.explanation)
    reporter.say(f"card: {folder / CARD}")


def _stream(subject: str, against: Path, scheme: str | None, reporter: Reporter) -> None:
    """Separation power and W1 of every observable of two files."""
    from caloforge.evaluate.engine import stream

    rows = stream(against, Path(subject), scheme=scheme, reporter=reporter)
    lines = [f"{'observable':32} {'separation':>12} {'W1':>12}"]
    lines += [f"{r.name:32} {r.separation:12.4g} {r.w1:12.4g} {r.unit}" for r in rows]
    record = {
        "format": "caloforge-histograms",
        "version": 1,
        "observables": {
            r.name: {"unit": r.unit, "separation": _known(r.separation), "w1": _known(r.w1)}
            for r in rows
        },
    }
    reporter.result("\n".join(lines), record)


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="Run folders or simulators; those of one recipe with other seeds are pooled.",
        show_default=False,
    ),
]
RealShowers = Annotated[
    Path | None,
    typer.Option(
        parser=showers_file,
        metavar="FILE",
        help="Real showers, or the name of a shipped sample; default: that of the first run's "
        "detector.",
        show_default=False,
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Write a page and the numbers there; default: print the table only.",
        show_default=False,
    ),
]


def compare(
    runs: Runs,
    against: RealShowers = None,
    out: Folder = None,
    part: WhichPart = None,
    scheme: Scheme = None,
    seed: Seed = 0,
    force: Force = False,
    wide: Wide = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Compare methods over seeds: errors, floor, significances; a page with pictures in OUT."""
    from caloforge.evaluate.comparison import compare_runs, runs_by_recipe
    from caloforge.report.pages import COMPARISON_PAGE, check_comparison_out, write_comparison
    from caloforge.report.tables import COLUMNS, comparison_table

    reporter = reporter_of(quiet, json)
    check_comparison_out(out, overwrite=force)
    groups = runs_by_recipe(runs)
    real = against or _shipped_for(runs[0])
    reporter.say(f"evaluating with the showers {real}")
    comparison = compare_runs(groups, real, part=part, scheme=scheme, seed=seed, reporter=reporter)
    if out is not None:
        write_comparison(out, comparison, overwrite=force)
        reporter.say(f"page: {out / COMPARISON_PAGE}")
    text = comparison_table(comparison, None if wide else COLUMNS)
    reporter.result(text, comparison.record)


def _shipped_for(run: str) -> Path:
    """The shipped showers of the detector that a run simulates."""
    from caloforge.simulator import CARD, read_card
    from caloforge.simulator.shipped import find_simulator

    return shipped_showers(read_card(find_simulator(run) / CARD).detector.name, "--against")
