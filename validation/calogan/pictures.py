"""Pictures of the campaign: learning curves, mean images, nearest neighbours, traversals.

Learning curves come from the records. The others (Figs. 1-5) are drawn from run folders, which are
not committed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from caloforge import report
from caloforge.data.samples import sample_path
from caloforge.data.showers import Showers, read
from caloforge.recipes import recipe_of_name
from caloforge.report.layered_sections import mean_layers, nearest_pictures, traversal_pictures
from validation.calogan.plan import METHODS, PLAN
from validation.metrics import SEED, EvaluationInputs, case_of_run
from validation.pictures import learning_curves
from validation.runner import RUNS, WORK
from validation.summary import Group

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNING = "learning.png"
CENTRED = "atlas_em/eplus-centred"
DRAWN = METHODS[:2]
"""Recipes whose pictures are shown: the two games, of which `calogan` receives the energy alone."""
MOVED = ("E", "theta", "phi", "x0", "y0")
"""Attributes whose traversals are shown, as in Figs. 3-5."""
LAYERS = ("layer_0", "layer_1", "layer_2")


def _captions(method: str) -> dict[str, str]:
    """File names and captions of the pictures of one recipe."""
    means = {"means": "mean image of each layer, varied and centred particles"}
    neighbours = {
        f"nearest-{number}": f"{layer}: seven real showers over the nearest generated ones and the "
        "nearest real training ones"
        for number, layer in enumerate(LAYERS)
    }
    moved = {one: f"{one} moved at fixed latents{unseen(method, one)}" for one in MOVED}
    traversals = {one: f"{text}, averages of ten" for one, text in moved.items()}
    changes = {
        f"{one}-difference": f"{text}, difference to the middle" for one, text in moved.items()
    }
    return {
        f"{method}-{name}.png": f"`{method}`: {text}."
        for name, text in (means | neighbours | traversals | changes).items()
    }


def unseen(method: str, attribute: str) -> str:
    """What a caption adds where the networks do not receive the attribute."""
    received = recipe_of_name(method, PLAN.detector).generator.attributes
    if received is None or attribute in received:
        return ""
    return f" (its networks do not receive {attribute}: generated showers cannot follow)"


PICTURES = {name: text for method in DRAWN for name, text in _captions(method).items()}
"""File name and caption."""


def draw(out: Path, finals: Sequence[Group]) -> None:
    """Learning curves of evaluated recipes, and every picture whose run folder is there."""
    if finals:
        report.save(learning_curves(finals), out / LEARNING)
    tidy(out)
    for method in DRAWN:
        folder = next(iter(sorted((out / WORK).glob(f"final-{method}-seed*"))), None)
        if folder is not None and (folder / "simulator").is_dir():
            case = case_of_run(folder, sample_path(PLAN.detector))
            for name, plot in _of_run(case).items():
                report.save(plot, out / f"{method}-{name}.png")


def tidy(out: Path) -> None:
    """Remove pictures that no page shows any more, and those of a recipe without a record."""
    methods = [method for method in DRAWN if any((out / RUNS).glob(f"final-{method}-seed*.json"))]
    names = {name for method in methods for name in _captions(method)}
    for path in (
        path_of_picture for method in METHODS for path_of_picture in out.glob(f"{method}-*.png")
    ):
        if path.name not in names:
            path.unlink()


def _of_run(case: EvaluationInputs) -> dict[str, Figure]:
    """Pictures of a run by the ends of their names."""
    plots = {"means": means(case)}
    for layer, plot in nearest_pictures(case.real, case.generated, case.train).items():
        plots[f"nearest-{LAYERS.index(layer)}"] = plot
    swept = {one.attribute.name: one for one in case.traversals(SEED)}
    for name in MOVED:
        plot, difference = traversal_pictures(swept[name], case.train or case.real)
        plots |= {name: plot, f"{name}-difference": difference}
    return plots


def means(case: EvaluationInputs) -> Figure:
    """Real beside generated, varied beside centred particles (Fig. 1)."""
    assert case.simulator is not None
    centred = read(sample_path(CENTRED), case.real.detector)
    cells = case.simulator.generate(centred.conditions, seed=SEED)
    generated: Showers = dataclasses.replace(centred, cells=cells, cpu_seconds=None, overflow=None)
    columns = {
        "varied, real": mean_layers(case.real),
        "varied, generated": mean_layers(case.generated),
        "centred, real": mean_layers(centred),
        "centred, generated": mean_layers(generated),
    }
    return report.layer_images(columns, case.real.detector.layers, label="mean GeV a cell")
