"""What each term costs: steps per second of training, relative to the plain game, on ZN and layers.

Run on an idle machine: python -m benchmarks.terms [STEPS]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator

import torch

from caloforge.data.batches import Batch
from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile
from caloforge.machine import processor
from caloforge.objectives import (
    R1,
    R2,
    AttributeRegression,
    BalancedDiversity,
    ConditionalMean,
    DiversitySensitive,
    EnergyConditioning,
    EnergyScore,
    FlippedLabels,
    GradientPenalty,
    Hinge,
    Intensity,
    LatentContrast,
    LocalScore,
    LogRatio,
    Minimax,
    ModeSeeking,
    NonSaturating,
    Objective,
    Paired,
    SelectiveDiversity,
    ShowerCentre,
    SoftSparsity,
    Wasserstein,
)
from caloforge.recipe import Data, Recipe
from caloforge.recipes import recipe_of_name
from caloforge.training.dataset import divide
from caloforge.training.distributed import DistributedContext
from caloforge.training.game import Game, build_game

GAME = NonSaturating()
OBJECTIVES: dict[str, Objective] = {
    "NonSaturating (dcgan)": 1.0 * GAME,
    "Minimax": 1.0 * Minimax(),
    "FlippedLabels": 1.0 * FlippedLabels(),
    "Hinge": 1.0 * Hinge(),
    "Wasserstein + GradientPenalty": Wasserstein() + 10 * GradientPenalty(),
    "Paired + R1 + R2": Paired() + R1() + R2(),
    "+ R1": GAME + R1(),
    "+ ModeSeeking, pixels": GAME + 0.01 * ModeSeeking(),
    "+ DiversitySensitive, pixels": GAME + DiversitySensitive(),
    "+ SelectiveDiversity, features": GAME + 0.1 * SelectiveDiversity(),
    "+ BalancedDiversity, features": GAME + 0.1 * BalancedDiversity(),
    "+ LogRatio, features": GAME + LogRatio(),
    "+ LatentContrast": GAME + LatentContrast(),
    "+ EnergyScore": GAME + EnergyScore(),
    "+ Intensity": GAME + 1e-3 * Intensity(),
    "+ Intensity, moments": GAME + 1e-3 * Intensity(distance="moments"),
    "+ ShowerCentre": GAME + 1e-3 * ShowerCentre(),
    "+ ShowerCentre, published regressor": GAME + 1e-3 * ShowerCentre(regressor="reference"),
    "+ ShowerCentre, centre of mass": GAME + 1e-3 * ShowerCentre(of="mass"),
    "EnergyScore alone": 1.0 * EnergyScore(),
}
"""On the neutron calorimeter, beside ``dcgan``."""
LAYERED: dict[str, Objective] = {
    "NonSaturating (calogan)": 1.0 * GAME,
    "FlippedLabels": 1.0 * FlippedLabels(),
    "+ ConditionalMean": GAME + ConditionalMean(),
    "+ EnergyConditioning": GAME + 0.05 * EnergyConditioning(),
    "+ AttributeRegression": GAME + AttributeRegression(),
    "+ SoftSparsity": GAME + SoftSparsity(),
    "+ EnergyScore": GAME + EnergyScore(),
    "+ LocalScore": GAME + LocalScore(),
    "EnergyScore + LocalScore alone": EnergyScore() + LocalScore(),
}
"""On layers of energy, beside the game of ``calogan``."""
WARM_UP = 3


def game_of(base: Recipe, objective: Objective) -> tuple[Game, Iterator[Batch]]:
    """The game of a recipe with this objective, and its batches."""
    recipe = base.model_copy(update={"objective": objective})
    context = DistributedContext(torch.device("cpu"))
    with ShowerFile(sample_path(base.detector), recipe.resolve()) as file:
        dataset = divide(file, recipe.data)
    game = build_game(recipe, dataset.scaling(recipe), context, dataset.detector(recipe))
    return game, dataset.batches(recipe, context).iterate()


def seconds_per_step(base: Recipe, objectives: list[Objective], steps: int) -> list[float]:
    """Median CPU seconds of a step of each; steps take turns, so that all meet the same load."""
    games = [game_of(base, objective) for objective in objectives]
    seconds_of_games: list[list[float]] = [[] for _ in games]
    for step in range(steps + WARM_UP):
        for (game, stream), seconds in zip(games, seconds_of_games, strict=True):
            start = time.process_time()
            game.step(stream, step)
            seconds.append(time.process_time() - start)
    return [statistics.median(seconds[WARM_UP:]) for seconds in seconds_of_games]


def print_table(base: Recipe, objectives: dict[str, Objective], steps: int) -> None:
    """Seconds of each objective, and of the first of them in turns with it."""
    rows = f"{base.data.particles} x {base.data.repeats}"
    print(f"{base.detector}, networks of {base.name}, batches of {rows} showers\n")
    print("| objective | CPU s / step | steps per second, first = 1 |\n| --- | --- | --- |")
    first = next(iter(objectives.values()))
    for name, objective in objectives.items():
        baseline, seconds = seconds_per_step(base, [first, objective], steps)
        print(f"| {name} | {seconds:.3f} | {baseline / seconds:.2f} |", flush=True)
    print()


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    print(f"{processor()}, one thread, torch {torch.__version__}, {steps} steps each\n")
    print_table(recipe_of_name("dcgan", "alice_zn"), OBJECTIVES, steps)
    layered = recipe_of_name("calogan").model_copy(update={"data": Data(particles=64, repeats=2)})
    print_table(layered, LAYERED, steps)


if __name__ == "__main__":
    main()
