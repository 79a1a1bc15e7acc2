"""What a command line asks of ``generate``, and how it is carried out: one file or a production."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.generate.one_file import generate
from caloforge.generate.output import Format, Output, Packing, format_of
from caloforge.generate.particles import stored_particles
from caloforge.generate.plan import Plan, Settings, Share, SourcePlan
from caloforge.generate.production import (
    AUTO,
    NetworkOptions,
    begun_settings,
    how_many,
    prepare,
    produce,
)
from caloforge.io.files import require_possible_file
from caloforge.jobs import Executor, ExecutorName
from caloforge.reporter import Reporter
from caloforge.simulator import CARD, Simulator, read_card


class Outcome(Protocol):
    """What is reported."""

    def record(self) -> dict[str, Any]:
        """For JSON."""
        ...


@dataclass(frozen=True)
class DryRun:
    """What would be done."""

    plan: Plan
    executor: Executor

    def record(self) -> dict[str, Any]:
        """For JSON."""
        plan: dict[str, Any] = self.plan.model_dump()
        return plan | {"shards": self.plan.shards, "job_script": self.job_script()}

    def job_script(self) -> str | None:
        """The batch job of one worker, where there are batch jobs."""
        from caloforge.jobs.cluster import JOB_CLUSTERS, job_script

        if self.executor.name != "dask" or self.executor.cluster not in JOB_CLUSTERS:
            return None
        return job_script(self.executor.cluster, self.executor.options)

    def __str__(self) -> str:
        plan, executor = self.plan, self.executor
        text = (
            f"{plan.showers} showers in {plan.shards} shards of {plan.shard_showers} "
            f"({plan.file_name(0)}), {executor.name}, {executor.workers} worker(s), "
            f"{plan.engine_version}, batch {plan.settings.batch}"
        )
        script = self.job_script()
        return f"{text}\n\n{script}" if script else text


@dataclass(frozen=True)
class GenerateOptions:
    """All options of ``caloforge generate``."""

    simulator: str
    out: Path
    like: Path | None
    particles: Path | None
    pdg: tuple[int, ...]
    spectrum: str | None
    showers: int | None
    seed: int
    engine: str | None
    batch: int | None
    threads: int | None
    scheme: str | None
    no_images: bool
    file_format: Format | None
    compression: Packing
    shards: int | None
    shard_size: int | None
    shard: str | None
    executor: ExecutorName
    workers: int
    cluster: str
    cluster_options: Path | None
    dry_run: bool
    outside: Literal["warn", "skip", "clamp", "strict"]
    strict: bool
    force: bool

    def carry_out(self, reporter: Reporter) -> Outcome:
        """Make the file or the production; raises as they do."""
        from caloforge.simulator.shipped import find_simulator

        folder = find_simulator(self.simulator)
        detector = read_card(folder / CARD).detector
        output = Output(
            format=self.file_format or format_of(self.out),
            images=not self.no_images,
            scheme=detector.scheme(self.scheme).scheme,
            packing=self.compression,
        )
        output.require_possible()
        many = self.shards is not None or self.shard_size is not None
        make = self._production if many else self._one_file
        with self._source(detector) as source:
            return make(folder, source, output, reporter)

    @contextmanager
    def _source(self, detector: Detector) -> Iterator[SourcePlan]:
        from caloforge.data.samples import sample_path

        outside = self.outside if self.outside in ("skip", "clamp") else "keep"
        if sum(x is not None for x in (self.like, self.particles, self.spectrum)) > 1:
            raise UsageError("give --like, --particles or --spectrum, not both")
        if self.pdg and self.particles is None:
            raise UsageError("--pdg chooses among the rows of --particles")
        if self.spectrum is not None:
            yield SourcePlan(kind="spectrum", name=self.spectrum, outside=outside)
        elif self.particles is not None:
            table = self.particles.absolute()
            with stored_particles(
                table, detector, self.out.absolute(), pdg=self.pdg
            ) as table_folder:
                yield SourcePlan(
                    kind="table", name=str(table), stored=str(table_folder), outside=outside
                )
        else:
            like = self.like or sample_path(detector.name)
            yield SourcePlan(kind="file", name=str(like.absolute()), outside=outside)

    def _settings(self, folder: Path, earlier: Settings | None, reporter: Reporter) -> Settings:
        return NetworkOptions(self.engine, self.threads, self.batch).settle(
            folder, earlier, reporter
        )

    def _one_file(
        self, folder: Path, source: SourcePlan, output: Output, reporter: Reporter
    ) -> Outcome:
        if self.executor != "iterative" or self.workers > 1 or self.dry_run or self.shard:
            raise UsageError("several workers write several files: add --shard-size or --shards")
        require_possible_file(self.out, overwrite=self.force)
        particles = source.open(read_card(folder / CARD), self.seed)
        settings = self._settings(folder, None, reporter)
        model = Simulator.load(folder, threads=settings.threads, engine=settings.engine)
        model.check()
        return generate(
            model,
            particles,
            self.out,
            showers=how_many(self.showers, particles),
            seed=self.seed,
            batch=settings.batch,
            output=output,
            strict=self.strict or self.outside == "strict",
            overwrite=self.force,
            reporter=reporter,
        )

    def _production(
        self, folder: Path, source: SourcePlan, output: Output, reporter: Reporter
    ) -> Outcome:
        from caloforge.jobs.cluster import read_options

        options = read_options(self.cluster_options)
        executor = Executor(self.executor, self.workers, self.cluster, options)
        executor.require_possible()
        share = Share.parse(self.shard) if self.shard is not None else None
        if share is not None and self.engine in (None, AUTO):
            raise UsageError("--shard needs --engine NAME: all jobs must run the same one")
        earlier = begun_settings(self.out, self.force)
        plan = prepare(
            folder,
            source,
            showers=self.showers,
            seed=self.seed,
            shards=self.shards,
            shard_size=self.shard_size,
            output=output,
            settings=self._settings(folder, earlier, reporter),
            strict=self.strict or self.outside == "strict",
        )
        if self.dry_run:
            return DryRun(plan, executor)
        return produce(
            plan,
            self.out,
            executor=executor,
            share=share,
            overwrite=self.force,
            reporter=reporter,
        )
