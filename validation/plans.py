"""Parts of a plan that studies of recipes share: final runs, equal CPU seconds, chosen weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from caloforge.recipes import recipe_of_name
from validation.metrics import EvaluationInputs
from validation.runner import Record, Records
from validation.summary import chosen_weights, groups, of_part
from validation.training_runs import TrainingRun

TRIAL_SEED = 1000
"""Seeds of runs that choose start here: no evaluated run shares one."""
EQUAL_WITHIN = 0.1
"""Methods whose CPU seconds differ less need no second row of equal CPU seconds."""
QUICK_STEPS = 60
FEW_SEEDS = 2
"""Seeds of runs that choose, and of questions beside the main one."""
TRIAL_PART = 0.2
"""Length of a run that chooses a weight, in parts of the recipe's own steps."""


@dataclass(frozen=True)
class Scan:
    """The weight of one term of a recipe, and the values that are tried."""

    label: str
    method: str
    term: str
    weights: tuple[float, ...]

    def setting(self, weight: float) -> str:
        """The recipe's setting for a weight."""
        return f"objective.{self.term}.weight={weight:g}"

    @property
    def own(self) -> float:
        """The weight of the default recipe."""
        return float(recipe_terms(self.method)[self.term]["weight"])


@dataclass(frozen=True)
class Plan:
    """What all runs of a study of recipes have in common."""

    study: str
    detector: str
    methods: tuple[str, ...]
    """By their default recipes, in the order of the page."""
    baseline: str
    """Whose CPU seconds the others get, too."""
    evaluate: Callable[[EvaluationInputs], Record]
    common: tuple[str, ...]
    """Settings of every run."""
    seeds: int = 5

    def run(
        self, part: str, method: str, seed: int, *settings: str, label: str = ""
    ) -> TrainingRun:
        """An evaluated run of a recipe."""
        return TrainingRun(
            study=self.study,
            detector=self.detector,
            part=part,
            label=label or method,
            method=method,
            seed=seed,
            evaluate=self.evaluate,
            settings=(*self.common, *settings),
            keep=part == "final",
        )

    def finals(self, seed: int, *, quick: bool = False) -> Iterator[TrainingRun]:
        """Every method by its default recipe, seed by seed."""
        settings = (f"training.steps={QUICK_STEPS}",) if quick else ()
        for number in range(1 if quick else self.seeds):
            for method in self.methods:
                yield self.run("final", method, seed + number, *settings)

    def equal_cpu(self, seed: int, records: Records) -> Iterator[TrainingRun]:
        """As many steps as fit the CPU seconds of the baseline."""
        for number in range(min(self.seeds, FEW_SEEDS)):
            for method in self.methods:
                if steps := self.equal_steps(method, seed, records):
                    yield self.run("equal", method, seed + number, f"training.steps={steps}")

    def equal_steps(self, method: str, seed: int, records: Records) -> int | None:
        """Steps in the CPU seconds of the baseline; None where that changes little or is unknown.

        Seconds of two processors are not compared: of the first seed that both ran on one.
        """
        for number in range(self.seeds):
            baseline, own = (
                final_record(records, name, seed + number) for name in (self.baseline, method)
            )
            if baseline and own and processor_of(baseline) == processor_of(own):
                ratio = baseline["cpu_seconds"] / own["cpu_seconds"]
                near = abs(ratio - 1) <= EQUAL_WITHIN
                return None if near else max(10, 10 * round(float(own["steps"] * ratio) / 10))
        return None

    def trials(self, scan: Scan, seed: int) -> Iterator[TrainingRun]:
        """Short runs that choose the weight of a term, on validation particles."""
        for number in range(FEW_SEEDS):
            for weight in scan.weights:
                changes = (scan.setting(weight), steps(scan.method, TRIAL_PART))
                run = self.run("weight", scan.method, TRIAL_SEED + seed + number, *changes)
                yield replace(run, label=scan.label, weight=weight, evaluate=None)

    def best_weights(self, scans: Sequence[Scan], seed: int, records: Records) -> dict[str, float]:
        """The best weight of each scan whose trials are all there."""
        best = chosen_weights(groups(of_part(records, "weight")))
        return {
            scan.label: weight
            for scan in scans
            if all(run.name in records for run in self.trials(scan, seed))
            and (weight := best[scan.label].weight) is not None
        }

    def shortened(
        self, part: str, length: float, methods: Sequence[str], seed: int, seeds: int = FEW_SEEDS
    ) -> Iterator[TrainingRun]:
        """Runs of another length, in parts of the recipe's own."""
        for number in range(seeds):
            for method in methods:
                yield self.run(part, method, seed + number, steps(method, length))

    def single(self, part: str, methods: Sequence[str], seed: int) -> Iterator[TrainingRun]:
        """One evaluated run of each recipe."""
        for method in methods:
            yield self.run(part, method, seed)


def final_record(records: Records, method: str, seed: int) -> Mapping[str, Any] | None:
    """The record of a final run that was timed."""
    for one in of_part(records, "final"):
        if (one["label"], one["seed"]) == (method, seed) and one.get("cpu_seconds"):
            return one
    return None


def processor_of(record: Mapping[str, Any]) -> Any:
    """Where a run was made."""
    return record["hardware"]["processor"]


def steps(method: str, part: float) -> str:
    """So many parts of the steps of a default recipe, as a setting."""
    return f"training.steps={max(10, round(part * recipe_of_name(method).training.steps))}"


@cache
def recipe_terms(method: str) -> dict[str, dict[str, Any]]:
    """The objective of a default recipe as its JSON has it."""
    terms: dict[str, dict[str, Any]] = recipe_of_name(method).model_dump(mode="json")["objective"]
    return terms
