"""Pictures of the campaign: mean images, nearest neighbours, traversals (Figs. 1-5).

Drawn from run folders, which are not committed; records alone make the page, not these.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from caloforge import plots
from caloforge.data.samples import sample_path
from caloforge.data.showers import Showers, read
from caloforge.evaluate.case import Case, assemble
from caloforge.evaluate.layered_pictures import (
    mean_layers,
    nearest_pictures,
    traversal_pictures,
)
from caloforge.validation.calogan.plan import DETECTOR, METHODS
from caloforge.validation.campaign.judging import JUDGE_SEED
from caloforge.validation.campaign.record import WORK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CENTRED = f"{DETECTOR}/eplus-centred"
DRAWN = METHODS[:2]
"""Recipes whose pictures are shown; the third is told no attribute but the energy."""
MOVED = ("E", "theta", "x0")
"""Attributes whose traversals are shown, as in Figs. 3-5."""


def _captions(method: str) -> dict[str, str]:
    """File names and captions of the pictures of one recipe."""
    moved = {
        f"{method}-{one}.png": f"{one} moved at fixed latents, averages of ten" for one in MOVED
    }
    changes = {
        f"{method}-{one}-difference.png": f"{one} moved at fixed latents, difference to the middle"
        for one in MOVED
    }
    neighbours = {
        f"{method}-nearest-{n}.png": f"seven real showers over the nearest generated in layer {n}"
        for n in range(3)
    }
    means = {f"{method}-means.png": "mean image of each layer, varied and centred particles"}
    return {
        name: f"`{method}`: {text}."
        for name, text in (means | neighbours | moved | changes).items()
    }


PICTURES = {name: text for method in DRAWN for name, text in _captions(method).items()}
"""File name and caption."""


def draw(out: Path) -> None:
    """Every picture whose run folder is there."""
    data = sample_path(DETECTOR)
    for method in DRAWN:
        folder = next(iter(sorted((out / WORK).glob(f"final-{method}-seed*"))), None)
        if folder is not None and (folder / "simulator").is_dir():
            for name, drawn in _of_run(method, assemble(str(folder), data, seed=JUDGE_SEED)):
                plots.save(drawn, out / name)


def _of_run(method: str, case: Case) -> list[tuple[str, Figure]]:
    detector = case.real.detector
    found = [(f"{method}-means.png", means(case))]
    for number, (drawn, _) in enumerate(nearest_pictures(case.real, case.generated)):
        found.append((f"{method}-nearest-{number}.png", drawn))
    swept = {one.attribute.name: one for one in case.traversals(JUDGE_SEED)}
    for name in MOVED:
        average, difference = traversal_pictures(detector, swept[name])
        found.append((f"{method}-{name}.png", average))
        found.append((f"{method}-{name}-difference.png", difference))
    return found


def means(case: Case) -> Figure:
    """Real beside generated, varied beside centred particles (Fig. 1)."""
    assert case.simulator is not None
    centred = read(sample_path(CENTRED), case.real.detector)
    cells = case.simulator.generate(centred.conditions, seed=JUDGE_SEED)
    made: Showers = dataclasses.replace(centred, cells=cells, cpu_seconds=None, overflow=None)
    columns = {
        "varied, real": mean_layers(case.real),
        "varied, generated": mean_layers(case.generated),
        "centred, real": mean_layers(centred),
        "centred, generated": mean_layers(made),
    }
    return plots.layer_images(columns, case.real.detector.layers, label="mean GeV")
