"""The whole job on the shipped showers: train, judge on unseen particles, generate, report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile
from caloforge.errors import UsageError
from caloforge.evaluate.case import assemble
from caloforge.evaluate.judgement import Judgement
from caloforge.evaluate.table import table
from caloforge.evaluate.writing import write_report
from caloforge.generate import Particles, Production, generate
from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name
from caloforge.reporter import Reporter
from caloforge.simulator import Simulator
from caloforge.train import train

DETECTOR = "alice_zn"
RECIPE = "sdi-gan"
SETTINGS = ["training.steps=1500", "training.validation_interval=150"]
SHOWERS = 100_000
THREADS = 1
"""One thread: the same result on every machine, and no fight for cores on a busy one."""


@dataclass(frozen=True)
class Demonstration:
    """What came out: the judgement, the production, and the transport it is compared with."""

    folder: Path
    recipe: Recipe
    judgement: Judgement
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
            "recipe": self.recipe.name,
            "judgement": self.judgement.record,
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
        return "\n".join(
            [
                table(self.judgement),
                "",
                str(self.production),
                f"speed-up {self.speed_up:,.0f} in CPU time a shower, cross-machine: "
                f"{self.transport_seconds:.3g} s ({self.transport}) over "
                f"{each:.3g} s ({self.production.processor})",
                f"recipe {self.recipe.name}, {self.recipe.training.steps} steps, seed "
                f"{self.recipe.seed}; {self.seconds:.0f} s in all",
                f"report: {self.folder / 'report.html'}",
            ]
        )


def demonstrate(out: Path, *, seed: int, overwrite: bool, reporter: Reporter) -> Demonstration:
    """Train ``sdi-gan`` on a small budget, judge it, generate 100 000 showers, into ``out``.

    Raises UsageError when ``out`` exists. Nothing is canned: another seed, another result.
    """
    started = time.perf_counter()
    data = sample_path(DETECTOR)
    recipe = override(recipe_of_name(RECIPE, DETECTOR), [*SETTINGS, f"seed={seed}"])
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already; --force replaces what the demo writes there")
    out.mkdir(parents=True, exist_ok=True)
    run = train(recipe, data, out / "run", overwrite=overwrite, reporter=reporter, threads=THREADS)
    judgement = judge_run(run.path, data, out / "report.html", seed, reporter)
    simulator = Simulator.load(run.path / "simulator")
    production = generate(
        simulator,
        Particles.like(data, simulator.detector),
        out / "showers.h5",
        showers=SHOWERS,
        seed=seed,
        overwrite=overwrite,
        reporter=reporter,
    )
    transport_seconds, transport = transport_of(data)
    return Demonstration(
        folder=out,
        recipe=recipe,
        judgement=judgement,
        production=production,
        transport_seconds=transport_seconds,
        transport=transport,
        seconds=time.perf_counter() - started,
    )


def judge_run(run: Path, data: Path, report: Path, seed: int, reporter: Reporter) -> Judgement:
    """Judgement of a run on the particles it never saw, with its report."""
    case = assemble(str(run), data, seed=seed, reporter=reporter)
    reporter.say(f"judging {len(case.generated)} against {len(case.real)} showers")
    judgement = case.judge(seed=seed)
    write_report(report, judgement, case.real, case.generated, overwrite=True)
    return judgement


def transport_of(data: Path) -> tuple[float, str]:
    """Mean CPU seconds a shower of the engine that made the file, and what it ran on."""
    with ShowerFile(data) as file:
        if file.cpu_seconds is None:
            return float("nan"), "transport not timed"
        known = file.provenance
        engine = known.get("engine", "unknown engine")
        return float(file.cpu_seconds.mean()), f"{engine}, {known.get('cpu', 'unknown')}"


__all__ = ["Demonstration", "demonstrate"]
