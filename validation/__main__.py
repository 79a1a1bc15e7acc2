"""``python -m validation STUDY``: what a paper claims, repeated with noise floors and errors."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from caloforge.cli import CONTEXT, run
from caloforge.cli.options import Json, Quiet, Seed, Workers, reporter_of
from caloforge.errors import UsageError
from validation.runner import carry_out

STUDIES = (
    "calogan",
    "cost",
    "data",
    "gpu",
    "points",
    "proton",
    "proton-script",
    "rival",
    "transport",
    "zn",
)

Name = Annotated[str, typer.Argument(metavar="STUDY", help=f"One of: {', '.join(STUDIES)}.")]
Quick = Annotated[bool, typer.Option("--quick", help="One seed and short runs: minutes.")]
OutFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Folder of the records; those that are there are kept. Default: "
        "validation/STUDY, with --quick validation/STUDY-quick.",
        show_default=False,
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(min=0, help="Leave after so many minutes; the same command goes on."),
]
Only = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Runs of that name; * stands for any part of it.", show_default=False
    ),
]
Page = Annotated[bool, typer.Option("--page", help="Only render the page from the records.")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=CONTEXT)


@app.command()
def command(
    name: Name,
    quick: Quick = False,
    out: OutFolder = None,
    seed: Seed = 0,
    workers: Workers = 1,
    minutes: Minutes = None,
    only: Only = None,
    page: Page = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Repeat what a paper claims; a study that was stopped or killed goes on."""
    if name not in STUDIES:
        raise UsageError(f"no study {name}; there are {', '.join(STUDIES)}")
    package, _, study = name.partition("-")
    module = import_module(f"validation.{package}")
    folder = out or Path("validation") / (f"{name}-quick" if quick else name.replace("-", "/"))
    carry_out(
        getattr(module, f"{study}_study".upper() if study else "STUDY"),
        folder,
        quick=quick,
        seed=seed,
        workers=workers,
        reporter=reporter_of(quiet, json),
        minutes=minutes,
        only=only,
        page=page,
    )


if __name__ == "__main__":
    sys.exit(run(app, "python -m validation"))
