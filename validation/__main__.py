"""``python -m validation STUDY``: what a paper claims, repeated with floors and errors."""

import sys
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Annotated

import typer

from caloforge.cli import CONTEXT, run
from caloforge.cli.options import Json, Quiet, Seed, Workers, reporter_of
from caloforge.errors import UsageError

VALIDATIONS = {
    "calogan": "validation.calogan.campaign",
    "points": "validation.points.campaign",
    "proton": "validation.proton.campaign",
    "proton-script": "validation.proton.script_campaign",
    "transport": "validation.transport.campaign",
    "zn": "validation.zn.campaign",
}
"""Where the function ``validate`` of each claim lives."""

Claim = Annotated[str, typer.Argument(help=f"One of: {', '.join(VALIDATIONS)}.")]
Quick = Annotated[bool, typer.Option("--quick", help="One seed and short runs: minutes.")]
OutFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Folder; finished runs in it are kept. Default: validation/CLAIM[-quick].",
        show_default=False,
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Leave after so many minutes (calogan, proton, proton-script, zn); the same command "
        "goes on.",
    ),
]
Ablate = Annotated[
    str | None,
    typer.Option(help="Parts to leave out, with commas (calogan); default: all, one by one."),
]


MISPLACED = {
    "minutes": "the runs of {claim} are short, stop it as you like",
    "ablate": "{claim} leaves no parts out",
}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=CONTEXT)


@app.command()
def command(
    claim: Claim,
    quick: Quick = False,
    out: OutFolder = None,
    seed: Seed = 0,
    workers: Workers = 2,
    minutes: Minutes = None,
    ablate: Ablate = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Repeat what a paper claims; a run that was killed goes on with what is missing."""
    if claim not in VALIDATIONS:
        raise UsageError(f"no claim {claim}; there are {', '.join(VALIDATIONS)}")
    folder = out or Path("validation") / (f"{claim}-quick" if quick else claim)
    validate = import_module(VALIDATIONS[claim]).validate
    asked = {"minutes": minutes, "ablate": ablate}
    chosen = {name: value for name, value in asked.items() if value is not None}
    for name in chosen:
        if name not in signature(validate).parameters:
            raise UsageError(f"--{name}: {MISPLACED[name].format(claim=claim)}")
    reporter = reporter_of(quiet, json)
    validate(folder, quick=quick, seed=seed, workers=workers, reporter=reporter, **chosen)


if __name__ == "__main__":
    sys.exit(run(app, "python -m validation"))
