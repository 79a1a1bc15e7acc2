"""The verbs of the command line as functions: arrays and paths in, typed results out.

``caloforge.train(...)``, ``caloforge.generate(...)``, ``caloforge.evaluate(...)`` and
``caloforge.export(...)`` are these functions; the modules of those names hold the parts.

Shapes: N showers, K cells, C conditions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caloforge.errors import DataError, UsageError, reason_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from caloforge.data.showers import Showers
    from caloforge.evaluate.result import EvaluationResult
    from caloforge.recipe import Recipe
    from caloforge.simulator import Simulator
    from caloforge.training.callbacks import Callback
    from caloforge.training.pretrained import Pretrained


@dataclass(frozen=True)
class TrainingResult:
    """A finished run."""

    folder: Path
    step: int
    best_score: float
    best_step: int
    cpu_seconds: float

    @property
    def simulator(self) -> Simulator:
        """The best generator."""
        from caloforge.simulator import Simulator

        return Simulator.load(self.folder)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``."""
        from caloforge.training import metrics

        return metrics.read(self.folder / "metrics.jsonl")

    def _repr_html_(self) -> str:
        from caloforge.reporter import table_of

        return table_of("training", dataclasses.asdict(self))


@dataclass(frozen=True)
class ExportResult:
    """A bundle for another program, which an emulator of it has read."""

    folder: Path
    target: str
    files: tuple[str, ...]
    findings: Mapping[str, str]
    """What was checked, and what came out."""
    paste: str
    """What the user of the program has to paste."""

    def _repr_html_(self) -> str:
        from caloforge.reporter import table_of

        rows = {"folder": self.folder, "files": ", ".join(self.files), **self.findings}
        return table_of(f"export to {self.target}", rows)


def train(
    recipe: Recipe | str | Path,
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    detector: str | Path | None = None,
    seed: int | None = None,
    start_from: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "cpu",
    threads: int | None = None,
    callbacks: Sequence[Callback] = (),
) -> TrainingResult:
    """Train a recipe into a run folder.

    Args:
        recipe: a recipe, the name of one, or a ``recipe.json``.
        data: a file of showers, or a shipped sample; default: the sample of the detector.
        out: the run folder; default: ``runs/<recipe>-<detector>-seed<k>``.
        settings: changes of the recipe by path, such as ``{"training.steps": 100}``.
        detector: a name or a file; default: that of the recipe.
        seed: default: that of the recipe.
        start_from: a run or a simulator whose networks are trained further.
        resume: go on from the last checkpoint of ``out``.
        overwrite: replace a run in ``out``.
        device: ``cpu``, ``cuda`` or ``auto``.
        threads: of torch.
        callbacks: follow the run, see ``caloforge.training.callbacks``.

    Raises:
        UsageError: settings or folders that cannot be.
        DataError: showers that do not fit.
    """
    from caloforge.data.samples import showers_path
    from caloforge.train import train as train_into
    from caloforge.training.pretrained import read_pretrained

    pretrained = None if start_from is None else read_pretrained(start_from)
    recipe = _changed(recipe, settings or {}, detector, seed, pretrained)
    default = Path("runs") / f"{recipe.name}-{recipe.detector}-seed{recipe.seed}"
    folder = train_into(
        recipe,
        showers_path(str(recipe.detector if data is None else data)),
        default if out is None else Path(out),
        resume=resume,
        overwrite=overwrite,
        device=device,
        threads=threads,
        pretrained=pretrained,
        callbacks=callbacks,
    )
    summary = folder.summary()
    summary.pop("run")
    return TrainingResult(folder.path, **summary)


def _changed(
    recipe: Recipe | str | Path,
    settings: Mapping[str, Any],
    detector: str | Path | None,
    seed: int | None,
    pretrained: Pretrained | None,
) -> Recipe:
    """The recipe that is trained; UsageError for what cannot be."""
    from caloforge.recipe import override
    from caloforge.recipes.find import find_recipe

    changes = [f"{path}={_as_json(path, value)}" for path, value in settings.items()]
    if isinstance(recipe, str | Path):
        return find_recipe(recipe, detector, changes, seed, pretrained)
    if detector is not None:
        raise UsageError("detector goes with the name of a recipe: use recipe.made_for")
    recipe = recipe if pretrained is None else pretrained.adapt(recipe)
    return override(recipe, changes + ([] if seed is None else [f"seed={seed}"]))


def _as_json(path: str, value: Any) -> str:
    import json

    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"settings {path}: {reason_of(error)}") from error


def generate(
    simulator: Simulator | str | Path,
    conditions: Showers | NDArray[Any],
    *,
    seed: int = 0,
    repeats: int = 1,
) -> Showers:
    """Showers of some particles in memory; ``caloforge generate`` writes more than memory holds.

    Args:
        simulator: one that is loaded, its folder, that of a run, or the name of a shipped one.
        conditions: in the columns and units of the detector, (C,) of each particle (N, C), or
            showers whose particles are taken, row for row.
        seed: of latents and counts.
        repeats: showers of each row of ``conditions``; equal rows are one particle.

    Returns:
        N x repeats showers, with cells in the unit of the detector. Rows of one particle stand
        together, particles in the order of their first row; ``conditions`` of the result has the
        order.

    Raises:
        UsageError: no such simulator, a seed below 0, repeats below 1.
        DataError: showers of another detector, conditions that are no table of it.

    Example:
        >>> from caloforge import read
        >>> from caloforge.data.samples import sample_path
        >>> real = read(sample_path("alice_zn"))[:4]
        >>> generate("alice_zn", real, seed=1)
        Showers(4 of alice_zn, particles: 1, cells: 1936)
    """
    import numpy as np

    from caloforge.data.particles import particle_numbers
    from caloforge.data.showers import Showers
    from caloforge.simulator import Simulator

    if repeats < 1:
        raise UsageError(f"repeats is {repeats}: at least one shower of each particle")
    source = simulator if isinstance(simulator, Simulator) else Simulator.load(simulator)
    table, particle, pdg = _particles_for(source, conditions)
    first_row = particle_numbers(particle[:, None])
    order = np.repeat(np.argsort(first_row, kind="stable"), repeats)
    return Showers(
        source.detector,
        source.generate(table[order], seed=seed),
        table[order],
        particle[order],
        None if pdg is None else pdg[order],
    )


def _particles_for(
    source: Simulator, conditions: Showers | NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Conditions, particle numbers and PDG numbers where they are known.  (N, C), (N,), (N,)"""
    import numpy as np

    from caloforge.data.particles import particle_numbers
    from caloforge.data.showers import Showers

    if not isinstance(conditions, Showers):
        table = np.atleast_2d(np.asarray(conditions, dtype=np.float64))
        source.require_conditions(table)
        return table, particle_numbers(table), None
    if conditions.detector.fingerprint != source.detector.fingerprint:
        raise DataError(
            f"{source.folder} makes showers of {source.detector.name}, the particles are of "
            f"{conditions.detector.name}; take a simulator and showers of one detector"
        )
    return conditions.conditions, conditions.particle, conditions.pdg


def evaluate(
    generated: Showers | Simulator | str | Path,
    against: Showers | str | Path,
    *,
    train: Showers | str | Path | None = None,
    scheme: str | None = None,
    seed: int = 0,
    classifier: str = "default",
) -> EvaluationResult:
    """Generated showers against real ones: distances with errors, noise floors, baselines, a gate.

    Args:
        generated: showers, or what ``caloforge evaluate`` takes: a run, a simulator, a file.
        against: real showers, a file of them, or the name of a shipped sample.
        train: showers that the baselines draw from, or a file of them.
        scheme: read-out scheme of the channel sums; default: that of the detector.
        seed: of split halves, resamplings and generated showers.
        classifier: ``default``, ``challenge`` or ``none``.

    Raises:
        DataError: showers of different detectors, or without common particles.
    """
    from caloforge.data.samples import showers_path
    from caloforge.data.showers import Showers, read
    from caloforge.evaluate.inputs import EvaluationInputs, load, matched
    from caloforge.io.productions import is_production
    from caloforge.simulator import Simulator

    if isinstance(train, str | Path):
        train = read(showers_path(train))
    if not isinstance(generated, Showers | Simulator) and not isinstance(against, Showers):
        inputs = load(str(generated), showers_path(str(against)), seed=seed)
        inputs = inputs if train is None else dataclasses.replace(inputs, train=train)
        return inputs.evaluate(scheme=scheme, seed=seed, classifier=classifier)
    real = against if isinstance(against, Showers) else read(showers_path(str(against)))
    if not isinstance(generated, Showers):
        path = None if isinstance(generated, Simulator) else Path(generated)
        on_disk = path is not None and (path.is_file() or is_production(path))
        generated = read(path) if path and on_disk else generate(generated, real, seed=seed)
    real, generated, warnings = matched(real, generated)
    inputs = EvaluationInputs(real, generated, train, about={}, warnings=warnings)
    return inputs.evaluate(scheme=scheme, seed=seed, classifier=classifier)


def export(
    simulator: Simulator | str | Path,
    target: str,
    out: str | Path,
    *,
    showers: str | Path | None = None,
    mesh: tuple[int, ...] | None = None,
    pdg: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> ExportResult:
    """Write a simulator for another program, and let an emulator of that program read it.

    Args:
        simulator: one that is loaded, its folder, that of a run, or the name of a shipped one.
        target: ``o2``, ``par04``, ``ddml``, ``ddml-library``, ``fcs-ganv2``, ``fcs-binned`` or
            ``triton``.
        out: the folder of the bundle.
        showers: what a hit classifier is made from, or whose particles fill a library.
        mesh: cells along the axes of the reader's mesh.
        pdg: which of the particles that it was trained on.
        seed: of what the target draws.
        overwrite: replace a bundle in ``out``.

    Raises:
        UsageError: an unknown target, or a simulator that the reader cannot hold.
    """
    from caloforge.export.bundle import Options
    from caloforge.export.bundle import export as write
    from caloforge.simulator import Simulator

    source = simulator if isinstance(simulator, Simulator) else Simulator.load(simulator)
    options = Options(showers=showers, mesh=mesh, particle=pdg, seed=seed)
    contents, result = write(source, target, Path(out), options, overwrite=overwrite)
    findings = {
        one.what: f"{'ok' if one.passed else 'FAIL'}: {one.text}" for one in result.findings
    }
    return ExportResult(Path(out), target, tuple(sorted(contents.files)), findings, contents.paste)


__all__ = ["ExportResult", "TrainingResult", "evaluate", "export", "generate", "train"]
