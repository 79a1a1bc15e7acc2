"""``caloforge plot-run``: the learning curves of a run as a picture."""

from pathlib import Path
from typing import Annotated

import typer

from caloforge.cli.options import Force, Json, Quiet, reporter_of

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]
Picture = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Picture, by its suffix png, pdf or svg; default: RUN/curves.png.",
        show_default=False,
    ),
]
SUFFIXES = (".png", ".pdf", ".svg")


def command(
    run: RunPath,
    out: Picture = None,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw validation score, losses by player and learning rates over the steps.

    A run that is under way can be drawn, too. Without --out its picture is replaced.
    """
    from caloforge.errors import DataError, UsageError
    from caloforge.io.files import write_aside
    from caloforge.report.canvas import DOTS_PER_INCH
    from caloforge.report.curves import learning_curves
    from caloforge.training import metrics
    from caloforge.training.folder import RunFolder

    reporter = reporter_of(quiet, json)
    folder = RunFolder(run)
    if not folder.metrics.is_file():
        raise UsageError(f"{run} is no run: it has no {folder.metrics.name}")
    path = out or run / "curves.png"
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--out {path}: the suffix is one of {', '.join(SUFFIXES)}")
    lines = metrics.read(folder.metrics)
    if not lines:
        raise DataError(f"{folder.metrics}: no whole line yet")
    drawn = learning_curves(lines, str(run))
    with write_aside(path, overwrite=force or out is None) as part:
        drawn.savefig(part, format=path.suffix[1:].lower(), dpi=DOTS_PER_INCH)
    record = folder.summary() | {"picture": path, "lines": len(lines)}
    reporter.result(f"{path}: {len(lines)} lines, up to step {lines[-1]['step']}", record)
