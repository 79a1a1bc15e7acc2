"""``caloforge search``: settings of a recipe on a grid, chosen on validation particles."""

from pathlib import Path
from typing import Annotated

import typer

from caloforge.cli.options import (
    Json,
    Quiet,
    Workers,
    reporter_of,
    shipped_showers,
    whole_number,
)
from caloforge.cli.train import (
    DataFile,
    DetectorName,
    Device,
    MoreFiles,
    Settings,
    WhichRecipe,
    further_showers,
    with_more,
)

Grid = Annotated[
    list[str],
    typer.Option(
        metavar="PATH=VALUE,VALUE",
        help="A setting and its values, as in objective.SelectiveDiversity.weight=0.01,0.1,1; "
        "repeat for more settings: every combination is tried.",
        show_default=False,
    ),
]


SearchFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Where everything goes; default: search-<recipe>.",
        show_default=False,
    ),
]


Seeds = Annotated[int, whole_number(most=1000, help="Seeds of each point; scores are averaged.")]


def search(
    recipe: WhichRecipe,
    grid: Grid,
    out: SearchFolder = None,
    detector: DetectorName = None,
    data: DataFile = None,
    more: MoreFiles = None,
    seeds: Seeds = 2,
    settings: Settings = None,
    workers: Workers = 1,
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train every point of a grid with every seed; the same command goes on after a kill.

    OUT gets runs/ (an ordinary run folder each), search.json, and best.json, a recipe to train.
    Scores are of the validation particles; the test particles are not touched.
    """
    from caloforge.recipes import RECIPES
    from caloforge.recipes.find import find_recipe
    from caloforge.search.outcome import search
    from caloforge.search.trial import parse_axis

    reporter = reporter_of(quiet, json)
    axes = [parse_axis(text) for text in grid]
    start = find_recipe(recipe, detector, settings or [], None)
    plain = data is None and recipe in RECIPES
    start = with_more(start, more or (), further_showers(start, plain))
    showers = data or shipped_showers(start.detector, "--data")
    folder = out or Path(f"search-{start.name}")
    names = " and ".join(map(str, (showers, *start.data.training_files)))
    reporter.say(f"searching in {folder} with the showers {names}")
    result = search(
        start,
        axes,
        showers,
        folder,
        seeds=seeds,
        workers=workers,
        device=device,
        reporter=reporter,
    )
    reporter.result(str(result), result.record)
