"""The whole job on the shipped showers: train, evaluate on unseen particles, generate, report."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caloforge.data.samples import further_samples, sample_path
from caloforge.data.showers import ShowerFile
from caloforge.errors import UsageError
from caloforge.evaluate.inputs import load
from caloforge.evaluate.result import EvaluationResult
from caloforge.generate import Particles, Production, generate
from caloforge.io.files import require_possible_folder
from caloforge.recipe import override
from caloforge.recipes import recipe_of_name
from caloforge.report.pages import write_report
from caloforge.report.tables import results_table
from caloforge.reporter import Reporter
from caloforge.simulator import Simulator
from caloforge.train import train

DETECTOR = "alice_zn"
STEPS = {"sdi-gan": 2000, "calibrated": 2000}
"""Recipes and steps: one to three CPU minutes each."""
SHOWERS = 100_000
THREADS = 1
"""One thread: the same result on every machine, and no fight for cores on a busy one."""


@dataclass(frozen=True)
class Attempt:
    """One recipe, trained and evaluated."""

    run: Path
    score: float
    """Best validation score: what the demo chooses by."""
    result: EvaluationResult


@dataclass(frozen=True)
class Demonstration:
    """What came out: results, the production, and the transport it is compared with."""

    folder: Path
    attempts: Mapping[str, Attempt]
    chosen: str
    production: Production
    transport_seconds: float
    """CPU seconds a shower of the transport engine, mean over the shipped file."""
    transport: str
    """Engine and processor of the transport."""
    seconds: float

    @property
    def speed_up(self) -> float:
        """Transport CPU seconds over CPU seconds of the simulator, a shower."""
        production = self.production
        return self.transport_seconds * production.showers / production.cpu_seconds

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "folder": str(self.folder),
            "judgements": {name: a.result.record for name, a in self.attempts.items()},
            "validation_scores": {name: a.score for name, a in self.attempts.items()},
            "chosen": self.chosen,
            "production": self.production.record(),
            "speed_up": {
                "value": self.speed_up,
                "cross_machine": True,
                "transport_cpu_seconds": self.transport_seconds,
                "transport": self.transport,
                "simulator": self.production.processor,
            },
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        each = self.production.cpu_seconds / self.production.showers
        judged = {name: attempt.result for name, attempt in self.attempts.items()}
        return "\n".join(
            [
                results_table({name: result.record for name, result in judged.items()}),
                "",
                *(f"{name}: {result.summary}" for name, result in judged.items()),
                f"generated with {self.chosen} (chosen on validation particles): {self.production}",
                f"speed-up {self.speed_up:,.0f} in CPU time a shower, cross-machine: "
                f"{self.transport_seconds:.3g} s ({self.transport}) over "
                f"{each:.3g} s ({self.production.processor})",
                f"{self.seconds:.0f} s in all; pages to look at: "
                + ", ".join(str(page_of(self.folder, name)) for name in self.attempts),
            ]
        )


def demonstrate(
    out: str | Path, *, seed: int, overwrite: bool, reporter: Reporter
) -> Demonstration:
    """Train two recipes on a small budget, evaluate both, generate 100 000 showers, into ``out``.

    Raises UsageError when ``out`` exists. Nothing is canned: another seed, another result.
    """
    out = Path(out)
    start = time.perf_counter()
    require_possible_folder(out)
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already; --force replaces what the demo writes there")
    out.mkdir(parents=True, exist_ok=True)
    data = sample_path(DETECTOR)
    attempts = {
        name: attempt(name, steps, data, out, seed=seed, overwrite=overwrite, reporter=reporter)
        for name, steps in STEPS.items()
    }
    best = min(attempts, key=lambda name: attempts[name].score)
    simulator = Simulator.load(attempts[best].run / "simulator")
    production = generate(
        simulator,
        Particles.like(data, simulator.detector),
        out / "showers.h5",
        showers=SHOWERS,
        seed=seed,
        overwrite=overwrite,
        reporter=reporter,
    )
    seconds = time.perf_counter() - start
    return Demonstration(out, attempts, best, production, *transport_of(data), seconds)


def attempt(
    name: str,
    steps: int,
    data: Path,
    out: Path,
    *,
    seed: int,
    overwrite: bool,
    reporter: Reporter,
) -> Attempt:
    """Train one recipe and evaluate it on unseen particles, with a page of pictures."""
    more = json.dumps(further_samples(DETECTOR))
    settings = [f"training.steps={steps}", "training.validation_interval=100", f"seed={seed}"]
    settings.append(f"data.training_files={more}")
    recipe = override(recipe_of_name(name, DETECTOR), settings)
    reporter.say(f"{name}: {steps} steps")
    run = train(recipe, data, out / name, overwrite=overwrite, reporter=reporter, threads=THREADS)
    inputs = load(str(run.path), data, seed=seed, reporter=reporter)
    result = inputs.evaluate(seed=seed, reporter=reporter)
    page = page_of(out, name)
    write_report(
        page, result, inputs.real, inputs.generated, overwrite=overwrite, reporter=reporter
    )
    return Attempt(run.path, run.summary()["best_score"], result)


def page_of(folder: Path, name: str) -> Path:
    """Where the report of a recipe goes."""
    return folder / f"{name}.html"


def transport_of(data: Path) -> tuple[float, str]:
    """Mean CPU seconds a shower of the engine that made the file, and what it ran on."""
    with ShowerFile(data) as file:
        if file.cpu_seconds is None:
            return float("nan"), "transport not timed"
        provenance = file.provenance
        engine = provenance.get("engine", "unknown engine")
        return float(file.cpu_seconds.mean()), f"{engine}, {provenance.get('cpu', 'unknown')}"
