"""``caloforge validate transport``: the engine against PDG and against another engine."""

from pathlib import Path
from typing import Annotated

import typer

from caloforge.cli.options import Json, Out, Quiet, Seed, reporter_of

Quick = Annotated[bool, typer.Option("--quick", help="A few cheap showers: shows that it runs.")]
Samples = Annotated[
    list[Path] | None,
    typer.Option("--sample", help="Showers of another engine to compare with; may be repeated."),
]
Work = Annotated[
    Path | None,
    typer.Option("--work", help="Where showers are kept to resume; default: OUT/showers."),
]


def command(
    out: Out,
    quick: Quick = False,
    sample: Samples = None,
    work: Work = None,
    seed: Seed = 1,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure linearity, resolution, profiles and interaction lengths; resumes where it stopped.

    Exit code 1 when a statement is not met (never with --quick).
    """
    from caloforge.errors import GateFailed
    from caloforge.validation.transport.campaign import run_campaign
    from caloforge.validation.transport.page import results_of, write_page

    reporter, samples = reporter_of(quiet, json), sample or []
    words = ["caloforge validate transport", "--quick" if quick else "", f"--seed {seed}"]
    words += [f"--sample {path.name}" for path in samples]
    found = run_campaign(
        work or out / "showers", quick=quick, seed=seed, samples=samples, reporter=reporter
    )
    results = results_of(found, samples, seed=seed, command=" ".join(filter(None, words)))
    checks = write_page(out, results, found, seed)
    failed = [check for check in checks if not check.met]
    reporter.result(
        f"{len(checks) - len(failed)} of {len(checks)} statements are met; see {out / 'README.md'}",
        results,
    )
    if failed and not quick:
        raise GateFailed(f"{failed[0].statement}: {failed[0].found} (and {len(failed) - 1} more)")
