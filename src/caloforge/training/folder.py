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

from caloforge.errors import DataError, UsageError
from caloforge.files import new_folder, remove_unfinished, write_aside
from caloforge.recipe import Recipe
from caloforge.simulator import CARD
from caloforge.training import metrics


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
        path = self.record().get("run", {}).get("data", {}).get("path")
        return Path(path) if path else None

    def summary(self) -> dict[str, Any]:
        """Where the run is and how good its best generator is."""
        lines = metrics.read(self.metrics)
        last = lines[-1] if lines else {}
        kept = {key: last.get(key) for key in ("step", "best_score", "best_step", "cpu_seconds")}
        return {"run": str(self.path)} | kept

    @classmethod
    def create(
        cls, path: Path, recipe: Recipe, circumstances: Mapping[str, Any], *, overwrite: bool
    ) -> RunFolder:
        """A folder with a recipe and nothing else of ours; UsageError if there is something."""
        folder = cls(new_folder(path, overwrite=overwrite))
        # An old checkpoint under a new recipe could be resumed: it goes first.
        folder.checkpoint.unlink(missing_ok=True)
        folder.metrics.unlink(missing_ok=True)
        if (folder.simulator / CARD).is_file():
            shutil.rmtree(folder.simulator)
        record = json.loads(recipe.to_json()) | {"run": dict(circumstances)}
        with write_aside(folder.recipe, overwrite=True) as part:
            part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        return folder

    @classmethod
    def reopen(cls, path: Path, recipe: Recipe, circumstances: Mapping[str, Any]) -> RunFolder:
        """The folder of a run that goes on, with the same recipe and the same data.

        Raises UsageError when there is nothing to resume or the recipe is another one, DataError
        when the data are.
        """
        folder = cls(path)
        if not folder.checkpoint.is_file():
            raise UsageError(f"{path} has no checkpoint.pt to resume; train without --resume")
        record = folder.record()
        if different := _difference(json.loads(recipe.to_json()), record):
            raise UsageError(f"{folder.recipe}: another recipe, {different}; resume it as it was")
        then, now = record.get("run", {}).get("data", {}), circumstances["data"]
        if then.get("sha256") != now["sha256"]:
            raise DataError(f"{now['path']} is not what {path} was trained on ({then.get('path')})")
        remove_unfinished(path)
        return folder

    def record(self) -> dict[str, Any]:
        """What ``recipe.json`` holds; DataError when it is no JSON document."""
        try:
            record = json.loads(self.recipe.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{self.recipe}: not readable ({error})") from error
        if not isinstance(record, dict):
            raise DataError(f"{self.recipe}: not a recipe")
        return record


def circumstances(data: Path, sha256: str, **more: Any) -> dict[str, Any]:
    """What a run depends on beside its recipe: program, commit, data."""
    program = {"caloforge": _version("caloforge"), "commit": commit(), "torch": _version("torch")}
    return program | {"data": {"path": str(data.resolve()), "sha256": sha256}} | more


def commit() -> str | None:
    """The commit of the source checkout that runs, ``-dirty`` if edited; None for a package."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1]
    if not (checkout / ".git").exists() or package != checkout / "src" / "caloforge":
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _difference(wanted: Any, stored: Any, path: str = "") -> str:
    """The first path at which two records differ, in words; empty when the second has it all."""
    if not (isinstance(wanted, dict) and isinstance(stored, dict)):
        return "" if wanted == stored else f"{path} was {stored!r}, not {wanted!r}"
    names = sorted(wanted.keys() | stored.keys() - {"run"})
    flaws = (
        _difference(wanted.get(name), stored.get(name), f"{path}.{name}".strip("."))
        for name in names
    )
    return next(filter(None, flaws), "")
