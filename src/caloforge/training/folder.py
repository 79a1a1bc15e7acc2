"""The run folder: what was asked for, what happened, where training stands, what came out."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caloforge.documents import read_json
from caloforge.errors import DataError, UsageError
from caloforge.io.files import new_folder, write_aside
from caloforge.recipe import AnyRecipe, Recipe, start_steps
from caloforge.simulator import CARD
from caloforge.simulator.card import RunFacts, TrainingData
from caloforge.training import metrics

EARLIER = "earlier_steps"
"""Steps of a run before it was told to go on for longer."""


@dataclass(frozen=True)
class RunFolder:
    """Names inside ``runs/<recipe>-<detector>-seed<k>/``."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe, and under ``run`` what it ran with."""
        return self.path / "recipe.json"

    @property
    def metrics(self) -> Path:
        """One line per interval."""
        return self.path / "metrics.jsonl"

    @property
    def csv_log(self) -> Path:
        """The same as a table, where it was asked for."""
        return self.path / "metrics.csv"

    @property
    def tensorboard_log(self) -> Path:
        """Folder of TensorBoard's events, where it was asked for."""
        return self.path / "tensorboard"

    @property
    def curves(self) -> Path:
        """Picture of the learning curves, where it was drawn."""
        return self.path / "curves.png"

    @property
    def checkpoint(self) -> Path:
        """Where training stands; tensors and plain data only."""
        return self.path / "checkpoint.pt"

    @property
    def simulator(self) -> Path:
        """The best generator, for use without torch."""
        return self.path / "simulator"

    @property
    def data(self) -> Path | None:
        """The showers that the run was trained on, if the folder tells."""
        if not self.recipe.is_file():
            return None
        path = self.facts().data.path
        return Path(path) if path else None

    def facts(self) -> RunFacts:
        """What the run depended on beside its recipe; DataError where it does not say."""
        return RunFacts.of_recipe(self.record(), str(self.recipe))

    def summary(self) -> dict[str, Any]:
        """Where the run is and how good its best generator is."""
        lines = metrics.read(self.metrics)
        with_score = [line for line in lines if "score" in line]
        last, best = (rows[-1] if rows else {} for rows in (lines, with_score))
        fields = {key: last.get(key) for key in ("step", "cpu_seconds")}
        fields |= {key: best.get(key) for key in ("best_score", "best_step")}
        return {"run": str(self.path)} | fields

    def check_free(self, overwrite: bool) -> None:
        """Raise UsageError when the folder holds something that may not be replaced."""
        if self.path.exists() and not (self.path.is_dir() and overwrite):
            new_folder(self.path, overwrite=overwrite)

    def lengthened(self, recipe: Recipe) -> Recipe:
        """The recipe, with the start that the run had where it gets more steps than before.

        A start takes a part of a run at most: of a longer one it would take more.
        """
        if recipe.start is None or not self.recipe.is_file():
            return recipe
        then = self.trained_with(type(recipe))
        longer = recipe.training.steps > then.training.steps or self.facts().get(EARLIER)
        if then.start is None or not longer:
            return recipe
        start = recipe.start.model_copy(update={"steps": start_steps(then)})
        return recipe.model_copy(update={"start": start})

    def go_on(self, recipe: Recipe) -> None:
        """Bring ``recipe.json`` up to date: more steps, own modules that changed."""
        steps = self.trained_with(type(recipe)).training.steps
        ran: dict[str, Any] = self.record().get("run", {})
        if steps != recipe.training.steps:
            ran = ran | {EARLIER: [*ran.get(EARLIER, ()), steps]}
        elif not _changed_modules(recipe, self.record()):
            return
        self.write_recipe(recipe, ran)

    def trained_with(self, kind: type[AnyRecipe]) -> AnyRecipe:
        """The recipe that the run was begun with."""
        return kind.read(self.recipe)

    def check_same(self, recipe: Recipe, facts: Mapping[str, Any]) -> str:
        """What differs from the run that is to go on, in words, where it may differ.

        Raises UsageError when there is nothing to resume or the recipe is another one, DataError
        when the data are.
        """
        if not self.checkpoint.is_file():
            raise UsageError(f"{self.path} has no checkpoint.pt to resume; train without --resume")
        then, ran = self.trained_with(type(recipe)), self.facts()
        steps = max(recipe.training.steps, then.training.steps)
        longer = then.training.model_copy(update={"steps": steps})
        then_longer = self.lengthened(then.model_copy(update={"training": longer}))
        if different := _difference(recipe.record, then_longer.record):
            raise UsageError(f"{self.recipe}: another recipe, {different}; resume it as it was")
        data = TrainingData.model_validate(facts["data"])
        if (ran.data.sha256, ran.data.training_files) != (data.sha256, data.training_files):
            raise DataError(f"{data.path} is not what {self.path} was trained on ({ran.data.path})")
        changes = [
            f"{name} {facts[name]} (was {ran.get(name)})"
            for name in ("torch", "threads", "device", "precision")
            if facts[name] != ran.get(name)
        ]
        if steps != then.training.steps:
            changes.append(f"training.steps {steps} (was {then.training.steps})")
        return ", ".join([*changes, *_changed_modules(recipe, self.record())])

    def write_recipe(self, recipe: Recipe, facts: Mapping[str, Any]) -> None:
        """``recipe.json``, with what the run ran with."""
        record = recipe.record | {"run": dict(facts)}
        with write_aside(self.recipe, overwrite=True) as part:
            part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def create(self, recipe: Recipe, facts: Mapping[str, Any], *, overwrite: bool) -> None:
        """Leave a recipe here, and nothing else of an older run."""
        new_folder(self.path, overwrite=overwrite)
        # An old checkpoint under a new recipe could be resumed: it goes first.
        for file in (self.checkpoint, self.metrics, self.csv_log, self.curves):
            file.unlink(missing_ok=True)
        if (self.simulator / CARD).is_file():
            shutil.rmtree(self.simulator)
        shutil.rmtree(self.tensorboard_log, ignore_errors=True)
        self.write_recipe(recipe, facts)

    def record(self) -> dict[str, Any]:
        """What ``recipe.json`` holds; DataError when it is no JSON document."""
        record = read_json(self.recipe)
        if not isinstance(record, dict):
            raise DataError(f"{self.recipe}: not a recipe")
        return record


def _changed_modules(recipe: Recipe, record: Mapping[str, Any]) -> list[str]:
    """Modules of own pieces whose file is another one than that of the record."""
    then = {row["name"]: row for row in record.get("modules", ())}
    rows = ((one, then.get(one.name, {})) for one in recipe.modules)
    return [
        f"module {one} (was {row.get('version') or 'another file'})"
        for one, row in rows
        if one.sha256 != row.get("sha256")
    ]


def circumstances(data: Path, sha256: str, **more: Any) -> dict[str, Any]:
    """What a run depends on beside its recipe: program, commit, data."""
    program = {"caloforge": _version("caloforge"), "commit": commit(), "torch": _version("torch")}
    return program | {"data": {"path": str(data.resolve()), "sha256": sha256}} | more


def commit() -> str | None:
    """The commit of the source checkout that runs, ``-dirty`` if the package is edited.

    None for an installed package. Pages and records that a campaign writes are no edit of it.
    """
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1]
    if not (checkout / ".git").exists() or package != checkout / "src" / "caloforge":
        return None
    try:
        head = _git(checkout, "rev-parse", "HEAD")
        edited = _git(checkout, "status", "--porcelain", "--", "src")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}-dirty" if edited else head


def _git(checkout: Path, *command: str) -> str:
    # Without locks, git only reads: a run that dies leaves no .git/index.lock behind.
    call = ["git", "--no-optional-locks", "-C", str(checkout), *command]
    process = subprocess.run(call, capture_output=True, text=True, check=True, timeout=10)
    return process.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _difference(expected: Any, recorded: Any, path: str = "") -> str:
    """The first path at which two records differ, in words; empty when the second has it all."""
    if not (isinstance(expected, dict) and isinstance(recorded, dict)):
        return "" if expected == recorded else f"{path} was {recorded!r}, not {expected!r}"
    names = sorted(expected.keys() | recorded.keys() - {"run"})
    flaws = (
        _difference(expected.get(name), recorded.get(name), f"{path}.{name}".strip("."))
        for name in names
    )
    return next(filter(None, flaws), "")
