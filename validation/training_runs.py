"""Training runs of a study: an ordinary run folder, evaluated on the test part, and its record."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from caloforge.data.samples import sample_path
from caloforge.errors import UsageError
from caloforge.io.files import sha256_of
from caloforge.machine import processor
from caloforge.objectives import NonFinite
from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name
from caloforge.search.trial import finish
from caloforge.training import metrics as training_log
from caloforge.training.folder import RunFolder, circumstances
from validation.metrics import EvaluationInputs, case_of_run
from validation.runner import RUNS, WORK, Record, read_records

FORMAT, VERSION = "caloforge-validation-run", 2
SCORES = 30
"""Scores on the validation particles along a run: its learning curve."""
FLAT = 0.05
"""Relative change of the score over the last third of a run below which its curve is flat."""
LABELS = ("part", "label", "method", "weight")
"""What the record of one recipe may differ in between two tables."""


@dataclass(frozen=True)
class TrainingRun:
    """One training run of a study."""

    study: str
    detector: str
    part: str
    """What it is for: a final run, a trial of a weight."""
    label: str
    """The method, or the variant of it."""
    method: str
    """Name of the recipe."""
    seed: int
    evaluate: Callable[[EvaluationInputs], Record] | None
    """What the record says of the test part; None: the run chooses, on validation particles."""
    settings: tuple[str, ...] = ()
    """All that is changed in the recipe."""
    weight: float | None = None
    """Of the term whose weight is tried."""
    keep: bool = False
    """Whether its simulator stays in the work folder."""
    device: str = "cpu"

    @property
    def name(self) -> str:
        """File name of the record, without suffix."""
        words = "".join(c if c.isalnum() or c in "-._" else " " for c in self.label).split()
        weight = "" if self.weight is None else f"-weight{self.weight:g}"
        return f"{self.part}-{'-'.join(words)}{weight}-seed{self.seed}"

    def plain(self) -> Recipe:
        """The recipe with the changes of this run, before it is prepared for a learning curve."""
        changes = [f"seed={self.seed}", *self.settings]
        return override(recipe_of_name(self.method, self.detector), changes)

    def recipe(self) -> Recipe:
        """The recipe that is trained."""
        return with_learning_curve(self.plain())

    def is_record_of(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of this recipe, even if an older one wrote fewer fields."""
        return is_of(record, self.recipe())

    def execute(self, folder: Path) -> Record:
        """Train what is missing, evaluate unless the run only chooses.

        Raises Terminated after SIGTERM; the run goes on when it is executed again.
        """
        recipe, data = self.recipe(), sample_path(self.detector)
        record, work = self._header(recipe, data), folder / WORK / self.name
        if (other := self._same_run(folder, record, recipe)) is not None:
            return other
        try:
            finish(recipe, data, record["data"]["sha256"], work, device=self.device)
        except NonFinite as error:
            record |= {"failed": str(error), "learning_curve": learning_curve(work)}
        else:
            record |= training_record(work)
            if self.evaluate is not None:
                extra = recipe.data.training_files
                record |= self.evaluate(case_of_run(work, data, extra))
        tidy(work, keep=self.keep and "failed" not in record)
        return record | {"outcome": outcome_text(record)}

    def _header(self, recipe: Recipe, data: Path) -> Record:
        text = recipe.to_json()
        return {
            "format": FORMAT,
            "version": VERSION,
            "study": self.study,
            **{name: getattr(self, name) for name in LABELS},
            "seed": self.seed,
            "command": f"python -m validation {self.study} --only {self.name}",
            "recipe_sha256": hashlib.sha256(text.encode()).hexdigest(),
            **circumstances_of_run(data, self.device, recipe.data.training_files),
            "steps": recipe.training.steps,
            "recipe": json.loads(text),
        }

    def _same_run(self, folder: Path, header: Record, recipe: Recipe) -> Record | None:
        """The evaluated record of the same recipe and data under the labels of this run."""
        for other in read_records(folder).values():
            same = other.get("data") == header["data"] and is_of(other, recipe)
            if same and (self.evaluate is None or "test" in other):
                return other | {key: header[key] for key in LABELS}
        return None


def circumstances_of_run(data: Path, device: str, training_files: Sequence[str]) -> Record:
    """Commit, date, machine, versions and showers of a record."""
    facts = circumstances(data, sha256_of(data))
    return {
        "commit": facts["commit"],
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "hardware": hardware(device),
        "torch": facts["torch"],
        "python": ".".join(map(str, sys.version_info[:3])),
        "data": {
            "name": data.name,
            "sha256": facts["data"]["sha256"],
            "training_files": list(training_files),
        },
    }


def with_learning_curve(recipe: Recipe) -> Recipe:
    """The recipe with its scores spread evenly over the run."""
    every = max(1, recipe.training.steps // SCORES)
    return override(
        recipe,
        [f"training.validation_interval={every}", f"training.checkpoint_interval={2 * every}"],
    )


def is_of(record: Mapping[str, Any], recipe: Recipe) -> bool:
    """Whether a record is of this recipe."""
    try:
        return type(recipe).from_json(json.dumps(record["recipe"])) == recipe
    except (KeyError, UsageError):
        return False


def hardware(device: str) -> Record:
    """Where a run was made."""
    if device == "cuda":
        import torch

        device = torch.cuda.get_device_name()
    facts = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    return facts | {"device": device, "threads": 1}


def training_record(work: Path) -> Record:
    """What a finished run folder says of its training."""
    summary, curve = RunFolder(work).summary(), learning_curve(work)
    return {
        "cpu_seconds": round(summary["cpu_seconds"], 1),
        "validation_score": summary["best_score"],
        "best_step": summary["best_step"],
        "learning_curve": curve,
        "last_third": last_third(curve["score"]),
    }


def learning_curve(work: Path) -> Record:
    """Steps, CPU seconds and validation scores along a run, where it was scored."""
    lines = [line for line in training_log.read(RunFolder(work).metrics) if "score" in line]
    return {
        "step": [line["step"] for line in lines],
        "cpu_seconds": [round(line["cpu_seconds"], 1) for line in lines],
        "score": [round(line["score"], 4) for line in lines],
    }


def last_third(scores: Sequence[float]) -> float | None:
    """Relative change of the mean score between the two halves of the last third of a run."""
    last = list(scores[len(scores) - len(scores) // 3 :])
    if len(last) < 2:
        return None
    before, after = fmean(last[: len(last) // 2]), fmean(last[len(last) // 2 :])
    return round(after / before - 1, 4) if before > 0 else None


def is_flat(record: Mapping[str, Any]) -> bool:
    """Whether the learning curve of a run is flat over its last third."""
    change = record.get("last_third")
    return change is not None and abs(change) <= FLAT


class Flatness(NamedTuple):
    """How many learning curves are flat over their last third, and where the others go."""

    flat: int
    fall: int
    rise: int

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> Flatness:
        """Of the records that have a learning curve."""
        curves = [one for one in records if one.get("last_third") is not None]
        steep = [one["last_third"] for one in curves if not is_flat(one)]
        fall = sum(change < 0 for change in steep)
        return cls(len(curves) - len(steep), fall, len(steep) - fall)


def tidy(work: Path, *, keep: bool) -> None:
    """A kept run stays without what only resuming needs."""
    if keep:
        (work / "checkpoint.pt").unlink(missing_ok=True)
    else:
        shutil.rmtree(work, ignore_errors=True)


def outcome_text(record: Mapping[str, Any]) -> str:
    """A run in one line."""
    if "failed" in record:
        return f"failed: {record['failed']}"
    score = f"validation {record['validation_score']:.2f}"
    seconds = f"{record['steps']} steps, {record['cpu_seconds']:.0f} CPU s"
    test = record.get("test", {}).get("conditional_w1", {}).get("value")
    return f"{score}, {seconds}" if test is None else f"{score}, test {test:.2f}, {seconds}"


__all__ = [
    "FLAT",
    "RUNS",
    "Flatness",
    "TrainingRun",
    "is_flat",
    "is_of",
    "last_third",
    "with_learning_curve",
]
