"""``caloforge evaluate``: a simulator, a run or generated showers against real ones."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from caloforge.cli.options import Force, Json, Quiet, Seed, reporter_of

Subject = Annotated[
    str,
    typer.Argument(
        metavar="RUN|SIMULATOR|FILE",
        help="A run folder, a simulator (folder or shipped name) or a file of generated showers.",
        show_default=False,
    ),
]
Against = Annotated[Path, typer.Option(help="File of real showers.", show_default=False)]
Train = Annotated[
    Path | None,
    typer.Option(help="Showers that baselines draw from; default: what a run trained on."),
]
WhichPart = Annotated[
    Literal["test", "validation", "train", "all"] | None,
    typer.Option(help="Particles to judge on; default: test for a run, all for a file."),
]
Scheme = Annotated[
    str | None, typer.Option(help="Read-out scheme of the channel sums; default: the detector's.")
]
Gate = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|default",
        help="Exit with 4, and the list, if a check of this gate fails. Default: told, not held.",
    ),
]
Classifier = Annotated[
    Literal["default", "challenge", "none"],
    typer.Option(help="Two-sample classifier; challenge is the full CaloChallenge one, and slow."),
]
Report = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Write the report there (html), numbers beside it (json)."),
]


def command(
    subject: Subject,
    against: Against,
    train: Train = None,
    part: WhichPart = None,
    scheme: Scheme = None,
    gate: Gate = None,
    classifier: Classifier = "default",
    out: Report = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Judge showers: distances with floors and errors, diversity, baselines, pictures."""
    from caloforge.errors import GateFailed
    from caloforge.evaluate.case import assemble
    from caloforge.evaluate.gate import DEFAULT, read_gate
    from caloforge.evaluate.table import table
    from caloforge.evaluate.writing import check_out, write_report

    reporter = reporter_of(quiet, json)
    check_out(out, overwrite=force)
    case = assemble(subject, against, train=train, part=part, seed=seed, reporter=reporter)
    case.real.detector.scheme(scheme)
    read_gate(gate or DEFAULT, case.real.detector)
    reporter.say(f"judging {len(case.generated)} against {len(case.real)} showers")
    judgement = case.judge(scheme=scheme, seed=seed, gate=gate or DEFAULT, classifier=classifier)
    if out is not None:
        write_report(out, judgement, case.real, case.generated, train=case.train, overwrite=force)
        reporter.say(f"report: {out}")
    reporter.result(table(judgement), judgement.record)
    if gate is not None and judgement.gate is not None and not judgement.gate.accepted:
        raise GateFailed(str(judgement.gate))
