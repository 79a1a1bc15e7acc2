"""From what a user asks for to a plan; what a folder was begun with fills what is left open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from caloforge.errors import UsageError
from caloforge.machine import cpu_flags
from caloforge.production.drawing import outside
from caloforge.production.manifest import MANIFEST, read_manifest
from caloforge.production.output import Output
from caloforge.production.particles import Particles
from caloforge.production.plan import Plan, Settings, SourcePlan, shard_showers
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator import Simulator
from caloforge.simulator.engine_choice import choose_engine
from caloforge.simulator.engines import engine_of_name

AUTO = "auto"


@dataclass(frozen=True)
class Wish:
    """How the network shall run, as far as the user says."""

    engine: str | None = None
    threads: int | None = None
    batch: int | None = None

    def settle(
        self, simulator: Path, begun: Settings | None, reporter: Reporter = SILENT
    ) -> Settings:
        """The user's wishes, what was begun, and else a short measurement of the engines."""
        known = begun or Settings()
        threads, batch = self.threads or known.threads, self.batch or known.batch
        name = self.engine or (begun.engine if begun else AUTO)
        if name == AUTO:
            choice = choose_engine(simulator, threads=threads, batch=batch)
            reporter.say(str(choice))
            name = choice.name
        engine_of_name(name)
        return Settings(engine=name, threads=threads, batch=batch)


def begun_settings(folder: Path, overwrite: bool) -> Settings | None:
    """Settings of a production that the folder holds and that shall go on."""
    if overwrite or not (folder / MANIFEST).is_file():
        return None
    return read_manifest(folder).plan.settings


def how_many(showers: int | None, particles: object) -> int:
    """The number asked for, or as many as a file has rows; UsageError for an open spectrum."""
    if showers is not None:
        return showers
    if not isinstance(particles, Particles):
        raise UsageError("a spectrum has no end: say how many showers with -n")
    return len(particles)


def prepare(
    simulator: Path,
    source: SourcePlan,
    *,
    showers: int | None,
    seed: int,
    shards: int | None,
    shard_size: int | None,
    output: Output,
    settings: Settings,
    strict: bool = False,
) -> Plan:
    """The plan of a production, after a look at simulator, particles and training range.

    Raises UsageError for impossible numbers, DataError for a simulator or particles that are none.
    """
    loaded = Simulator.load(simulator, threads=settings.threads, engine=settings.engine)
    loaded.check()
    particles = source.open(loaded.detector, seed)
    number = how_many(showers, particles)
    outside(loaded, particles, range(particles.different_rows(number)), strict=strict)
    return Plan(
        simulator=str(simulator.absolute()),
        generator_sha256=loaded.card.generator_sha256,
        source=source,
        source_fingerprint=particles.fingerprint,
        showers=number,
        seed=seed,
        shard_showers=shard_showers(number, shards, shard_size),
        output=output,
        strict=strict,
        settings=settings,
        engine_version=loaded.engine.name,
        cpu_flags=cpu_flags(),
    )


__all__ = ["AUTO", "Wish", "begun_settings", "how_many", "prepare"]
