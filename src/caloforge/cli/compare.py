"""``caloforge compare``: runs of several recipes and seeds, judged by the same showers."""

from typing import Annotated

import typer

from caloforge.cli.evaluate import Against, Scheme, WhichPart
from caloforge.cli.options import Force, Json, Out, Quiet, Seed, reporter_of

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="Run folders or simulators; those of one recipe with other seeds are pooled.",
        show_default=False,
    ),
]


def command(
    runs: Runs,
    against: Against,
    out: Out,
    part: WhichPart = None,
    scheme: Scheme = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Compare methods over seeds: errors, floor, significances; a page with pictures in OUT."""
    from caloforge.compare.comparison import compare
    from caloforge.compare.page import PAGE, check_out, write_comparison
    from caloforge.compare.subjects import subjects
    from caloforge.compare.table import table

    reporter = reporter_of(quiet, json)
    check_out(out, overwrite=force)
    groups = subjects(runs)
    found = compare(groups, against, part=part, scheme=scheme, seed=seed, reporter=reporter)
    write_comparison(out, found, overwrite=force)
    reporter.say(f"page: {out / PAGE}")
    reporter.result(table(found), found.record)
