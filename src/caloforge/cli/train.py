"""``caloforge train``: a recipe, a detector and showers become a run folder with a simulator."""

from pathlib import Path
from typing import Annotated

import typer

from caloforge.cli.options import (
    Force,
    Json,
    Quiet,
    reporter_of,
    shipped_showers,
    showers_file,
)

WhichRecipe = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="Name of a recipe, or a recipe.json.", show_default=False
    ),
]
DetectorName = Annotated[
    str | None,
    typer.Option(
        "--detector",
        help="Detector: a name, or a file (.json, binning.xml); default: the recipe's.",
        show_default=False,
    ),
]
DataFile = Annotated[
    Path | None,
    typer.Option(
        "--data",
        parser=showers_file,
        metavar="FILE",
        help="Showers, or the name of a shipped sample; default: the detector's sample.",
        show_default=False,
    ),
]
OutFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Run folder; default: runs/<recipe>-<detector>-seed<k>.",
        show_default=False,
    ),
]
RecipeSeed = Annotated[
    int | None, typer.Option(min=0, help="Seed; default: the recipe's.", show_default=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the recipe, as in training.steps=500; repeat as needed.",
        show_default=False,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of torch.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the resolved recipe, no more.")]


def command(
    recipe: WhichRecipe,
    detector: DetectorName = None,
    data: DataFile = None,
    out: OutFolder = None,
    seed: RecipeSeed = None,
    settings: Settings = None,
    resume: Resume = False,
    device: Device = "auto",
    threads: Threads = None,
    dry_run: DryRun = False,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train a recipe; the run folder gets the recipe, metrics, checkpoint and simulator."""
    from caloforge.recipes.find import find_recipe
    from caloforge.train import train
    from caloforge.training.team import first_of_team

    chosen = find_recipe(recipe, detector, settings or [], seed)
    reporter = reporter_of(quiet, json)
    if dry_run:
        typer.echo(chosen.to_json())
        return
    folder = out or Path("runs") / f"{chosen.name}-{chosen.detector}-seed{chosen.seed}"
    run = train(
        chosen,
        data or _showers_of(folder, resume, chosen.detector),
        folder,
        resume=resume,
        overwrite=force,
        reporter=reporter,
        device=device,
        threads=threads,
    )
    if first_of_team():
        record = run.summary()
        best = f"{record['best_score']:.4g} at step {record['best_step']}"
        reporter.result(f"{run.path}: best validation score {best}", record)


def _showers_of(folder: Path, resume: bool, detector: str) -> Path:
    """What the run to be resumed was trained on, or the shipped sample of the detector."""
    from caloforge.training.folder import RunFolder

    recorded = RunFolder(folder).data if resume else None
    return recorded or shipped_showers(detector, "--data")
