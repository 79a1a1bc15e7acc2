"""``python -m benchmarks train``: a training step of our pairs against the authors' pair.

All play the same recipe on the same rows in the same loop, in float32. The authors' pair also runs
with the memory layout that the public codes use.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.quality import legend, quality_of
from benchmarks.report import Benchmark, Row
from benchmarks.timing import Work, take_turns
from caloforge.data.batches import Batch
from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile
from caloforge.detectors import ALICE_ZN
from caloforge.networks.generators import GeneratorConfig
from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name
from caloforge.reporter import SILENT, Reporter
from caloforge.training.dataset import divide
from caloforge.training.distributed import DistributedContext
from caloforge.training.game import Game, batches_of, build_game

RECIPE = "sdi-gan"
METHODS = (RECIPE, "sdi-gan-published")
"""Runs of these state the quality of a pair."""
REFERENCE = "reference pair, as published"
PAIRS = {
    REFERENCE: ("reference", "reference"),
    "reference pair, channels last": ("reference", "reference"),
    "light pair": ("light", "light"),
    "pair of the recipe": ("profile", "counts"),
}
"""Kinds of generator and critic."""
PARTICLES, REPEATS = 4, 8


def bench_train(*, rounds: int = 3, reporter: Reporter = SILENT) -> Benchmark:
    """Steps of all pairs in turn, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        work = {name: _steps(name, *kinds) for name, kinds in PAIRS.items()}
        timings = take_turns(work, rounds, reporter, "steps")
    finally:
        torch.set_num_threads(threads)
    batch = PARTICLES * REPEATS
    rows = []
    for name, (generator, _) in PAIRS.items():
        ratio = timings.ratio(REFERENCE, name)
        rows.append(
            Row(
                name=f"{name}, {RECIPE} step",
                batch=batch,
                microseconds=timings.median(name) / batch * 1e6,
                ratio=ratio.median,
                ratio_low=ratio.low,
                ratio_high=ratio.high,
                quality=quality_of(ALICE_ZN, GeneratorConfig(kind=generator), METHODS),
            )
        )
    return Benchmark("train", rows, remarks=[legend(ALICE_ZN)])


def _steps(name: str, generator: str, critic: str) -> Work:
    """Steps of a fresh game, one a call."""
    recipe = override(
        recipe_of_name(RECIPE, ALICE_ZN.name),
        [
            f"generator.kind={generator}",
            f"critic.kind={critic}",
            f"data.particles={PARTICLES}",
            f"data.repeats={REPEATS}",
            "training.precision=float32",
        ],
    )
    game, stream = _game(recipe)
    if name == REFERENCE:
        for network in game.networks.values():
            network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    numbers = iter(range(10**9))
    return lambda: game.step(stream, next(numbers))


def _game(recipe: Recipe) -> tuple[Game, Iterator[Batch]]:
    context = DistributedContext(torch.device("cpu"))
    with ShowerFile(sample_path(recipe.detector)) as file:
        dataset = divide(file, recipe.data)
        game = build_game(recipe, dataset.scaling(recipe), context)
        batches = [next(dataset.batches(recipe, context).iterate())]
    n_batches = batches * batches_of(recipe.objective, recipe.training)
    return game, _forever(n_batches)


def _forever(batches: list[Batch]) -> Iterator[Batch]:
    """The same rows again and again: reading them is not what is measured."""
    while True:
        yield from batches


__all__ = ["bench_train"]
