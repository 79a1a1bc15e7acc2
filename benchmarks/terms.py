"""What each term costs: steps per second of training on ZN, relative to dcgan.

Run on an idle machine: python benchmarks/terms.py [STEPS]
"""

from __future__ import annotations

import statistics
import sys
import time

import torch

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile
from caloforge.machine import processor
from caloforge.objectives import (
    R1,
    BalancedDiversity,
    DiversitySensitive,
    EnergyScore,
    GradientPenalty,
    Hinge,
    Intensity,
    LatentContrast,
    LogRatio,
    ModeSeeking,
    NonSaturating,
    Objective,
    SelectiveDiversity,
    ShowerCentre,
    Wasserstein,
)
from caloforge.recipes import recipe_of_name
from caloforge.training.game import build_game
from caloforge.training.material import divide
from caloforge.training.team import Team

GAME = NonSaturating()
OBJECTIVES: dict[str, Objective] = {
    "NonSaturating (dcgan)": 1.0 * GAME,
    "Hinge": 1.0 * Hinge(),
    "Wasserstein + GradientPenalty": Wasserstein() + 10 * GradientPenalty(),
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
WARM_UP = 3


def seconds_per_step(objective: Objective, steps: int) -> float:
    """Median CPU seconds of a step, batches of 16 x 8 showers."""
    base = recipe_of_name("dcgan", "alice_zn")
    recipe = base.model_copy(update={"objective": objective})
    team = Team(torch.device("cpu"))
    with ShowerFile(sample_path("alice_zn"), recipe.resolve()) as file:
        material = divide(file, recipe.data)
        game = build_game(recipe, material.scaling(recipe), team)
        stream = material.batches(recipe, team).iterate()
        spent = []
        for step in range(steps + WARM_UP):
            started = time.process_time()
            game.step(stream, step)
            spent.append(time.process_time() - started)
    return statistics.median(spent[WARM_UP:])


def main() -> None:
    """Print a table."""
    torch.set_num_threads(1)
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    print(f"{processor()}, one thread, torch {torch.__version__}, {steps} steps each\n")
    print("| objective | CPU s / step | steps per second, dcgan = 1 |\n| --- | --- | --- |")
    baseline = None
    for name, objective in OBJECTIVES.items():
        seconds = seconds_per_step(objective, steps)
        baseline = baseline or seconds
        print(f"| {name} | {seconds:.3f} | {baseline / seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
