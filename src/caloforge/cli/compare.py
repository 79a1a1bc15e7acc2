"""``caloforge compare``: runs of several recipes and seeds, evaluated with the same showers."""

from pathlib import Path
from typing import Annotated

import typer

from caloforge.cli.evaluate import Scheme, WhichPart, Wide
from caloforge.cli.options import (
    Force,
    Json,
    Quiet,
    Seed,
    reporter_of,
    shipped_showers,
    showers_file,
)

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="Run folders or simulators; those of one recipe with other seeds are pooled.",
        show_default=False,
    ),
]
Against = Annotated[
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


def command(
    runs: Runs,
    against: Against = None,
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
