"""``caloforge demo``: one command from transport showers to an evaluated simulator."""

from pathlib import Path
from typing import Annotated

import typer

from caloforge.cli.options import (
    Force,
    Json,
    Quiet,
    Seed,
    reporter_of,
)

Folder = Annotated[Path, typer.Option("--out", "-o", help="Where everything goes.")]


def demo(
    out: Folder = Path("demo"),
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train sdi-gan and calibrated on the shipped ZN showers, evaluate both, generate 100 000."""
    reporter = reporter_of(quiet, json)
    reporter.say(f"demo: five to eight minutes on two cores; everything goes to {out}")
    from caloforge.demo import demonstrate

    demonstration = demonstrate(out, seed=seed, overwrite=force, reporter=reporter)
    reporter.result(str(demonstration), demonstration.record())
