"""``caloforge train``: a recipe, a detector and showers become a run folder with a simulator.

``caloforge plot-run``: the learning curves of a run as a picture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caloforge.cli import options
from caloforge.cli.options import (
    Force,
    Json,
    Quiet,
    reporter_of,
    shipped_showers,
    showers_file,
    whole_number,
)
from caloforge.machine import LARGEST_SEED, MOST_THREADS

if TYPE_CHECKING:
    from caloforge.recipe import Recipe


WhichRecipe = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="Name of a recipe, or a recipe.json.",
        show_default=False,
        autocompletion=options.recipes,
    ),
]
DetectorName = Annotated[
    str | None,
    typer.Option(
        "--detector",
        autocompletion=options.detectors,
        help="Detector: a name, or a file (.json, binning.xml); default: the recipe's.",
        show_default=False,
    ),
]
DataFile = Annotated[
    Path | None,
    typer.Option(
        "--data",
        autocompletion=options.samples,
        parser=showers_file,
        metavar="FILE",
        help="Showers, or the name of a shipped sample; default: the detector's sample.",
        show_default=False,
    ),
]
MoreFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--more",
        metavar="FILE",
        help="Further showers (a file or a sample) for the training rows, beside those that the "
        "recipe names; repeat as needed. Default without --data: the detector's further samples.",
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
    int | None,
    whole_number(
        most=LARGEST_SEED, least=0, help="Seed; default: the recipe's.", show_default=False
    ),
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
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        autocompletion=options.simulators,
        metavar="RUN|SIMULATOR",
        help="Start from the networks of a run, or from the generator of a simulator (a folder or "
        "a shipped name), with their settings and their detector.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[
    int | None, whole_number(most=MOST_THREADS, help="Threads of torch.", show_default=False)
]
Log = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="KIND",
        help="Beside metrics.jsonl: csv (metrics.csv) or tensorboard (extra tensorboard); repeat.",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the resolved recipe, no more.")]


def command(
    recipe: WhichRecipe,
    detector: DetectorName = None,
    data: DataFile = None,
    more: MoreFiles = None,
    out: OutFolder = None,
    seed: RecipeSeed = None,
    settings: Settings = None,
    resume: Resume = False,
    start_from: From = None,
    device: Device = "auto",
    threads: Threads = None,
    log: Log = None,
    dry_run: DryRun = False,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train a recipe; the run folder gets the recipe, metrics, checkpoint and simulator."""
    from caloforge.data.showers import ShowerFile
    from caloforge.recipes import RECIPES
    from caloforge.recipes.find import find_recipe
    from caloforge.train import train
    from caloforge.training.callbacks import logs_of_names
    from caloforge.training.distributed import is_leader
    from caloforge.training.pretrained import read_pretrained

    callbacks = logs_of_names(log or [])
    pretrained = read_pretrained(start_from) if start_from else None
    config = find_recipe(recipe, detector, settings or [], seed, pretrained)
    folder = out or Path("runs") / f"{config.name}-{config.detector}-seed{config.seed}"
    plain = data is None and recipe in RECIPES
    begun = _recorded(folder) if resume else ()
    usual = () if resume else further_showers(config, plain)
    config = with_more(config, more or begun, usual)
    reporter = reporter_of(quiet, json)
    if dry_run:
        if data is not None:
            with ShowerFile(data, config.resolve()):
                pass  # raises where they are those of another detector
        typer.echo(config.to_json())
        return
    run = train(
        config,
        data or _showers_of(folder, resume, config.detector),
        folder,
        resume=resume,
        overwrite=force,
        reporter=reporter,
        device=device,
        threads=threads,
        pretrained=pretrained,
        callbacks=callbacks,
    )
    if is_leader():
        record = run.summary()
        best = f"{record['best_score']:.4g} at step {record['best_step']}"
        reporter.result(f"{run.path}: best validation score {best}", record)


def with_more(recipe: "Recipe", more: Sequence[str], usual: Sequence[str]) -> "Recipe":
    """The recipe with showers that join its training rows.

    Args:
        recipe: What may name some itself.
        more: What joins those; a file that the recipe names joins once.
        usual: What joins where neither names any.
    """
    named = recipe.data.training_files
    others = dict.fromkeys(map(_absolute, more or (() if named else usual)))
    joined = (*named, *(name for name in others if name not in set(map(_absolute, named))))
    data = recipe.data.model_copy(update={"training_files": joined})
    return recipe.model_copy(update={"data": data})


def _absolute(name: str) -> str:
    """The path of a file; a name of shipped showers as it stands."""
    return str(Path(name).resolve()) if Path(name).exists() else name


def further_showers(recipe: "Recipe", plain: bool) -> tuple[str, ...]:
    """The further samples of the detector, for a recipe by name on the shipped showers."""
    from caloforge.data.samples import further_samples

    # A split by row, or showers kept few, is a protocol of its own.
    usual = recipe.data.split == "particle" and recipe.data.showers_per_particle is None
    return further_samples(recipe.detector) if plain and usual else ()


def _recorded(folder: Path) -> tuple[str, ...]:
    """What joined the training rows of the run to be resumed."""
    from caloforge.recipe import Recipe
    from caloforge.training.folder import RunFolder

    run = RunFolder(folder)
    return Recipe.read(run.recipe).data.training_files if run.recipe.is_file() else ()


def _showers_of(folder: Path, resume: bool, detector: str) -> Path:
    """What the run to be resumed was trained on, or the shipped sample of the detector."""
    from caloforge.training.folder import RunFolder

    data = RunFolder(folder).data if resume else None
    return data or shipped_showers(detector, "--data")


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


def plot_run(
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
    from caloforge.report.curves import learning_curves
    from caloforge.report.pictures import require_picture_ending, save
    from caloforge.training import metrics
    from caloforge.training.folder import RunFolder

    reporter = reporter_of(quiet, json)
    folder = RunFolder(run)
    if not folder.metrics.is_file():
        raise UsageError(f"{run} is no run: it has no {folder.metrics.name}")
    path = out or folder.curves
    require_picture_ending(path)
    lines = metrics.read(folder.metrics)
    if not lines:
        raise DataError(f"{folder.metrics}: no whole line yet")
    save(learning_curves(lines, str(run)), path, overwrite=force or out is None)
    record = folder.summary() | {"picture": path, "lines": len(lines)}
    reporter.result(f"{path}: {len(lines)} lines, up to step {lines[-1]['step']}", record)
