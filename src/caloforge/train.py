"""Train a recipe: a plain loop over steps, with scores, checkpoints and a way to leave.

A run is a pure function of recipe, data and seed (on a processor, bit for bit): batches follow
from the step, everything else that matters is in the checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from caloforge.data.kinematics import doubts
from caloforge.data.samples import showers_path
from caloforge.data.showers import ShowerFile
from caloforge.errors import Terminated, UsageError
from caloforge.extensions import make_callable
from caloforge.io.files import sha256_of
from caloforge.jobs import only_run
from caloforge.machine import asked_to_leave, require_threads
from caloforge.networks.kinds import BeginsFromShowers
from caloforge.objectives import NonFinite
from caloforge.objectives.adversarial import Penalty
from caloforge.recipe import Recipe
from caloforge.reporter import SILENT, Reporter
from caloforge.training.average import Average
from caloforge.training.callbacks import Callback
from caloforge.training.dataset import Dataset, divide, size_line
from caloforge.training.distributed import (
    DistributedContext,
    device_of_name,
    distributed_context,
    precision_of,
)
from caloforge.training.folder import RunFolder, circumstances
from caloforge.training.game import Game, build_game, rows_of_batch
from caloforge.training.phases import batches_before, phases_of
from caloforge.training.pretrained import Pretrained
from caloforge.training.run import Run
from caloforge.training.validation import Validation
from caloforge.training.warnings import warnings_before

make_callable(__name__)


def train(
    recipe: Recipe,
    data: str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
    device: str = "cpu",
    threads: int | None = None,
    pretrained: Pretrained | None = None,
    callbacks: Sequence[Callback] = (),
) -> RunFolder:
    """Train into a run folder, or go on with one, and leave the best generator in simulator/.

    A run that goes on may have more ``training.steps`` than before. ``pretrained`` networks
    (``training.pretrained.read_pretrained``) are where a fresh run starts from; ``callbacks``
    (``training.callbacks``) follow each step, line of metrics and checkpoint.

    Raises UsageError when ``out`` exists or cannot be resumed, DataError when the data do not fit,
    NonFinite when a term or gradient does, Terminated after SIGTERM; UsageError, too, when another
    process trains into ``out``.
    """
    data, out = showers_path(data), Path(out)
    require_players(recipe)
    require_rows(recipe)
    if threads is not None:
        torch.set_num_threads(require_threads(threads))
    with (
        ShowerFile(data, recipe.resolve()) as file,
        distributed_context(device_of_name(device)) as context,
        only_run(out, reporter) if context.leads else nullcontext(),
    ):
        facts = facts_of(recipe, data, context, pretrained)
        folder = RunFolder(out)
        recipe = folder.lengthened(recipe) if resume else recipe
        if not resume:
            folder.check_free(overwrite)
        changes = folder.check_same(recipe, facts) if resume else ""
        dataset = divide(file, recipe.data)
        (reporter if context.leads else SILENT).say(f"{recipe.name}: preparing networks for {data}")
        run = prepare(recipe, dataset, folder, context, reporter, None if resume else pretrained)
        if not resume:
            require_gradients(run)
        run.callbacks = tuple(callbacks) if context.leads else ()
        announce(run, changes)
        run.resume() if resume else run.begin(facts)
        try:
            play_out(run)
        finally:
            for one in run.callbacks:
                one.end()
        return folder


def facts_of(
    recipe: Recipe, data: Path, context: DistributedContext, pretrained: Pretrained | None
) -> dict[str, Any]:
    """Circumstances of a run: its data, machine, precision, and the networks it starts from."""
    facts = circumstances(
        data,
        sha256_of(data),
        threads=torch.get_num_threads(),
        processes=context.world,
        device=context.device.type,
        precision=str(precision_of(recipe.training.precision, context.device)),
    )
    facts["data"]["training_files"] = {
        name: sha256_of(showers_path(name)) for name in recipe.data.training_files
    }
    if pretrained is not None:
        facts["pretrained"] = pretrained.record
    return facts


def announce(run: Run, changes: str) -> None:
    """Size of the run, and what to warn of before its first step."""
    run.reporter.say(size_line(run.batches, run.dataset))
    before = warnings_before(run.recipe.objective, run.batches)
    for line in (*doubts(run.dataset.validation), *before):
        run.reporter.warn(line)
    if changes:
        run.reporter.warn(f"resuming with {changes}: not bit for bit the same run")


def require_players(recipe: Recipe) -> None:
    """UsageError for an objective that trains no generator, or a critic for penalties alone."""
    if not recipe.objective.plays("generator"):
        raise UsageError(f"recipe {recipe.name}: no term of its objective trains the generator")
    of_critic = [term for weight, term in recipe.objective.terms if weight and term.plays("critic")]
    if of_critic and all(isinstance(term, Penalty) for term in of_critic):
        names = ", ".join(type(term).__name__ for term in of_critic)
        raise UsageError(
            f"recipe {recipe.name}: its critic has no game to play, only penalties ({names}): "
            "set objective.Paired.weight=1, or the weight of the penalties to 0"
        )


def require_rows(recipe: Recipe) -> None:
    """UsageError for batches of one shower: units, penalties and normalisations are means."""
    if recipe.data.particles * recipe.data.repeats < 2 and recipe.objective.plays("critic"):
        raise UsageError(
            "a batch of one shower (data.particles=1, data.repeats=1) has no mean to learn from: "
            "set data.particles=2 or more"
        )


def prepare(
    recipe: Recipe,
    dataset: Dataset,
    folder: RunFolder,
    context: DistributedContext,
    reporter: Reporter,
    pretrained: Pretrained | None = None,
) -> Run:
    """A run at step 0; nothing is written yet."""
    scaling, detector = dataset.scaling(recipe), dataset.detector(recipe)
    game = build_game(recipe, scaling, context, detector, dataset.law(recipe, reporter))
    begin_from(game, dataset)
    if pretrained is not None:
        for line in pretrained.load_into(game.networks, detector):
            (reporter if context.leads else SILENT).warn(line)
    return Run(
        recipe=recipe,
        dataset=dataset,
        folder=folder,
        context=context,
        reporter=reporter if context.leads else SILENT,
        game=game,
        phases=phases_of(recipe, game),
        batches=dataset.batches(recipe, context),
        average=Average(game.networks["generator"], recipe.training.average),
        validation=Validation.of(dataset.validation, game.latent_size, game.sampling, recipe.seed),
    )


def require_gradients(run: Run) -> None:
    """UsageError for a penalty on a critic without a gradient, before anything is written.

    Penalties are taken once on the first batch; neither weights nor random numbers change.
    """
    game = run.game
    penalties = [t for weight, t in game.objective.terms if weight and isinstance(t, Penalty)]
    if not penalties:
        return
    critic, random = game.networks["critic"], game.random.get_state()
    state = deepcopy(critic.state_dict())
    play = game.round("critic", rows_of_batch(run.batches.at(0), run.context.device), 0)
    with suppress(NonFinite):  # which the first step reports
        for term in penalties:
            term.critic(play)
    critic.load_state_dict(state)  # a pass moves the statistics of batches
    game.random.set_state(random)


def begin_from(game: Game, dataset: Dataset) -> None:
    """Let networks that can start from real showers do so, before their first step."""
    for network in game.networks.values():
        if isinstance(network, BeginsFromShowers):
            some, device = dataset.first(), next(network.parameters()).device
            cells = torch.from_numpy(some.cells.astype(np.float32)).to(device)
            network.begin(cells, torch.from_numpy(some.conditions.astype(np.float32)).to(device))


def play_out(run: Run) -> None:
    """All steps that are left, then the simulator; raises NonFinite or Terminated."""
    steps = run.recipe.training.steps
    stream = run.batches.iterate(batches_before(run.phases, run.step))
    with (
        asked_to_leave() as leaving,
        run.reporter.progress("training", steps, "steps", run.step) as advance,
    ):
        while run.step < steps:
            parts = run.play(stream)
            leave = run.context.any(leaving())
            run.log_and_checkpoint(leave)
            advance(1, run.note(parts))
            if leave:
                run.write_simulator()
                raise Terminated(f"stopped by SIGTERM; {run.folder.path} can be resumed")
    run.write_simulator()
