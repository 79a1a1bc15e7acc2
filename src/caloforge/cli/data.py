"""``caloforge data``: look into a file of showers, convert foreign files into ours."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from caloforge.cli.options import Force, Json, Out, Quiet, reporter_of

command = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look into shower files, convert foreign ones.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A showers file.", show_default=False)]
Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE...",
        help="Foreign file, or the pair of responses and particles.",
        show_default=False,
    ),
]
DetectorName = Annotated[
    str | None, typer.Option("--detector", help="Expected detector; default: what the files say.")
]
CellValues = Annotated[
    Literal["raw", "log1p"] | None,
    typer.Option("--values", help="How npz files write cells; default: detected."),
]
CompressionName = Annotated[
    Literal["portable", "smallest", "none"],
    typer.Option("--compression", help="gzip 1, gzip 9, or none."),
]


@command.command("info")
def info(file: File, quiet: Quiet = False, json: Json = False) -> None:
    """Tell what is in a file of showers, and whether it can test a claim about diversity."""
    from caloforge.data.info import describe, summarise

    reporter = reporter_of(quiet, json)
    summary = summarise(file)
    for warning in summary.warnings:
        reporter.warn(warning)
    reporter.result(describe(summary), summary.record())


@command.command("convert")
def convert(
    sources: Sources,
    out: Out,
    detector: DetectorName = None,
    values: CellValues = None,
    compression: CompressionName = "portable",
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Convert showers of the ALICE authors (npz) or of the transport jobs into our format."""
    from caloforge.data import dialects
    from caloforge.detectors import detector_of_name

    reporter = reporter_of(quiet, json)
    wanted = detector_of_name(detector) if detector else None
    request = dialects.Request(tuple(sources), wanted, values, reporter)
    rows = dialects.convert(request, out, overwrite=force, compression=compression)
    reporter.result(f"{out}: {rows} showers", {"out": str(out), "rows": rows})
