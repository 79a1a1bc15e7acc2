"""``transport``: particles in, one showers file out, by as many workers as one likes.

The arrays depend on the request alone: every shower has its own seed, so neither the number of
workers nor deaths, shards or resuming change them (``/cpu_seconds`` is measured and does vary).

From what a user names to a Request: geometry, physics list, tables, set-up, all checked.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from caloforge import __version__
from caloforge.data.record import cell_type
from caloforge.detector import Detector
from caloforge.documents import flaw_of, read_json
from caloforge.errors import CaloforgeError, DataError, Terminated, UsageError
from caloforge.io.files import (
    HDF5_ENDINGS,
    require_ending,
    require_possible_file,
    write_aside,
)
from caloforge.io.showers import Column, ShowerWriter
from caloforge.jobs import Done, only_run
from caloforge.jobs.pool import Worker, lead
from caloforge.jobs.process import environment_of_worker
from caloforge.machine import asked_to_leave, install, processor, require_seed
from caloforge.reporter import SILENT, Reporter
from caloforge.transport.arrival import Upstream
from caloforge.transport.data_tables import Tables, find_tables
from caloforge.transport.external import (
    WORKER,
    EngineCommand,
    EngineWorker,
    check_command,
    run_command,
)
from caloforge.transport.geometry import GEOMETRY, Geometry, geometry_of, require_depth
from caloforge.transport.light import LIGHT_SCALE, Table
from caloforge.transport.parts import Parts, Shard, open_parts, parts_folder
from caloforge.transport.request import (
    LOST,
    MISSED,
    MISSING,
    TRANSPORTED,
    Particles,
    Request,
    Setup,
    Shower,
    draw,
    read_particles,
)
from caloforge.transport.worker import setup_line


@dataclass(frozen=True)
class Pool:
    """How the showers are made; nothing here changes them."""

    workers: int = 1
    renew_after: int | None = None
    """Showers after which an engine is started anew."""
    worker_command: tuple[str, ...] | None = None


ONE_WORKER = Pool()


@dataclass
class _Work:
    """A request, its parts and the progress, shared by all workers."""

    request: Request
    parts: Parts
    advance: Callable[[int], None]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, showers: int) -> None:
        """Progress, from any thread."""
        with self.lock:
            self.advance(showers)

    def note_engine(self, engine: str) -> None:
        """Keep the engine's version for the output."""
        with self.lock:
            if engine and not self.parts.engine:
                self.parts.note_engine(engine)


def transport(
    request: Request,
    tables: Tables | None,
    out: str | Path,
    *,
    pool: Pool = ONE_WORKER,
    resume: bool = False,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Summary:
    """Transport all particles and write a file of showers, which appears when it is whole.

    Args:
        request: By ``prepare``.
        tables: By ``prepare``.
        out: File of the showers; shards wait in ``OUT.parts`` beside it.
        pool: Workers, and how long they live.
        resume: Go on with the shards that are there.
        overwrite: Replace an older file.
        reporter: Shows how far it is.

    Returns:
        Numbers of showers, those missing, and CPU seconds.

    Raises:
        UsageError: A file that exists, or one that cannot be resumed; before any work.
        DataError: Particles that cannot be transported; before any work.
        CaloforgeError: The engine does not start or, after all others were written, showers are
            missing.
        Terminated: SIGTERM came; ``resume`` goes on.
    """
    out = Path(out)
    require_ending(out, *HDF5_ENDINGS)
    require_possible_file(out, overwrite=overwrite)
    require_possible_file(missing_path(out), overwrite=True)
    shard_rows = request.shard_rows(pool.workers)
    fates = request.fates
    with only_run(parts_folder(out), reporter):
        parts = open_parts(
            out, request.fingerprint, len(request), shard_rows, resume=resume, force=overwrite
        )
        reporter.say(_opening(request, tables, fates))
        try:
            done = parts.done_rows()
            with reporter.progress("transport", len(request), "showers", done) as advance:
                _run(_Work(request, parts, advance), tables, pool)
        except BaseException:
            if not parts.done_rows():
                parts.remove()
            raise
        summary = assemble(request, parts, out, overwrite=overwrite)
        parts.remove()
    summary.raise_if_missing(out)
    return summary


def _opening(request: Request, tables: Tables | None, fates: NDArray[np.int8]) -> str:
    """First line of the log: what will be done, by which tables."""
    engine = tables.describe() if tables else f"engine: {request.command}"
    number = int((fates == TRANSPORTED).sum())
    return f"{request.detector.name}: {number} of {len(request)} showers to transport; {engine}"


def _run(work: _Work, tables: Tables | None, pool: Pool) -> None:
    """Make all shards that are not on disk; raises the first error."""
    workers = [_worker(work, tables, pool, number) for number in range(pool.workers)]
    with asked_to_leave() as leaving:
        try:
            for _ in lead(workers, work.parts.todo(), leaving):
                pass
        except Terminated as error:
            parts = work.parts
            raise Terminated(
                f"{error}; {parts.done_rows()} of {parts.rows} showers are kept in {parts.folder}: "
                "--resume goes on"
            ) from None


def _worker(work: _Work, tables: Tables | None, pool: Pool, number: int) -> Worker:
    """What one thread leads: an engine of Geant4, or the calls of another engine's command."""
    request = work.request
    if request.command is not None or tables is None:
        return _CommandWorker(work)
    pdgs = sorted({int(pdg) for pdg in request.particles.pdg})
    how = EngineCommand(
        setup_line(request.setup, request.detector, pdgs),
        environment_of_worker(tables.environment(os.environ)),
        work.parts.folder,
        pool.worker_command or WORKER,
    )
    return _ShardWorker(work, EngineWorker(how, number, pool.renew_after))


@dataclass
class _CommandWorker:
    """Makes shards by another engine's command."""

    work: _Work
    stop: threading.Event = field(default_factory=threading.Event)

    def do(self, number: int) -> Done:
        """Make a shard and put it on disk."""
        parts, rows = self.work.parts, self.work.parts.ranges[number]
        parts.save(number, run_command(self.work.request, rows, parts.folder, self.stop))
        self.work.count(len(rows))
        return Done(number)

    def ask_to_leave(self) -> None:
        """End the command."""
        self.stop.set()

    kill = ask_to_leave

    def close(self) -> None:
        """Nothing is left to end."""


@dataclass
class _ShardWorker:
    """Makes shards by Geant4."""

    work: _Work
    engine: EngineWorker

    def do(self, number: int) -> Done:
        """Shoot the showers of a shard that reach the calorimeter; the others stay empty."""
        work, request, rows = self.work, self.work.request, self.work.parts.ranges[number]
        shard = Shard.empty(len(rows), request.detector.cells, request.overflow_layers)
        shard.fate[:] = request.fates[rows.start : rows.stop]
        shots = [request.shot(row) for row in rows if request.fates[row] == TRANSPORTED]
        work.count(len(rows) - len(shots))

        def answer(shower: Shower) -> None:
            place = shower.index - rows.start
            shard.cells[place], shard.overflow[place] = shower.cells, shower.overflow
            shard.cpu_seconds[place] = shower.cpu_seconds
            work.count(1)

        for shot in self.engine.serve(shots, answer):
            shard.fate[shot.index - rows.start] = MISSING
            work.count(1)
        work.note_engine(self.engine.engine)
        work.parts.save(number, shard)
        return Done(number)

    def ask_to_leave(self) -> None:
        """Start no engine any more, and end the one there is."""
        self.engine.current.ask_to_leave()

    def kill(self) -> None:
        """End the engine at once."""
        self.engine.current.kill()

    def close(self) -> None:
        """End the engine."""
        self.engine.close()


ENGINE = "Geant4 {version} (geant4-pybind)"


@dataclass(frozen=True)
class Summary:
    """What a run made."""

    path: str
    transported: int
    missed: int
    lost: int
    missing: tuple[int, ...]
    cpu_seconds: float
    """Sum over all showers; NaN where another engine did not say."""
    provenance: dict[str, str]

    def record(self) -> dict[str, Any]:
        """For ``--json``."""
        return vars(self)

    def __str__(self) -> str:
        rate = self.cpu_seconds / max(self.transported, 1)
        return (
            f"{self.path}: {self.transported} showers transported, {self.missed} miss the "
            f"calorimeter and {self.lost} were stopped upstream (kept as empty showers), "
            f"{len(self.missing)} missing; {rate:.3g} CPU s a shower; "
            f"{self.provenance['engine']}, {self.provenance['tables']}"
        )

    def raise_if_missing(self, out: Path) -> None:
        """CaloforgeError when showers could not be made; a file beside the output lists them."""
        if self.missing:
            raise CaloforgeError(
                f"{len(self.missing)} showers are missing from {out} (two workers died at each): "
                f"listed in {missing_path(out)}"
            )


def missing_path(out: Path) -> Path:
    """Where missing showers are listed."""
    return out.with_name(f"{out.name}.missing.json")


def assemble(request: Request, parts: Parts, out: Path, *, overwrite: bool) -> Summary:
    """Write the showers file from all shards, and the list of missing showers if there are any.

    Raises DataError for damaged shards and for counts that do not fit 16 bits.
    """
    fates, seconds, overflow = _overview(parts)
    provenance = provenance_of(request, parts, fates)
    present: dict[Column, bool] = {
        "pdg": True,
        "cpu_seconds": not np.isnan(seconds),
        "overflow": request.overflow_layers > 0 and not np.isnan(overflow),
    }
    columns = tuple(name for name, there in present.items() if there)
    with (
        write_aside(out, overwrite=overwrite) as aside,
        ShowerWriter(aside, request.detector, provenance, columns=columns) as writer,
    ):
        for number, rows in enumerate(parts.ranges):
            _append(writer, request, rows, parts.load(number))
    missing = np.flatnonzero(fates == MISSING)
    _list_missing(request, out, missing.tolist())
    counts = {fate: int((fates == fate).sum()) for fate in (TRANSPORTED, MISSED, LOST)}
    return Summary(
        str(out), counts[TRANSPORTED], counts[MISSED], counts[LOST],
        tuple(missing.tolist()), seconds, provenance,
    )  # fmt: skip


def _overview(parts: Parts) -> tuple[NDArray[np.int8], float, float]:
    """Fates of all showers, and the CPU seconds and the overflow of all; NaN where unknown."""
    fates, seconds, overflow = [], 0.0, 0.0
    for number in range(len(parts.ranges)):
        shard = parts.load(number)
        fates.append(shard.fate)
        seconds += float(shard.cpu_seconds.sum(dtype=np.float64))
        overflow += float(shard.overflow.sum(dtype=np.float64))
    return np.concatenate(fates), seconds, overflow


def _append(writer: ShowerWriter, request: Request, rows: range, shard: Shard) -> None:
    complete = shard.fate != MISSING
    index = np.arange(rows.start, rows.stop)[complete]
    place = index // request.repeats
    cells = shard.cells[complete]
    if request.detector.counts and cells.size and cells.max() > np.iinfo(np.uint16).max:
        raise DataError(f"a fibre counts {cells.max():.0f} photons, more than 65535")
    writer.append(
        cells.astype(cell_type(request.detector)),
        request.conditions(index),
        request.particles.number[place],
        pdg=request.particles.pdg[place],
        cpu_seconds=shard.cpu_seconds[complete],
        overflow=shard.overflow[complete] if "overflow" in writer.columns else None,
    )


def _list_missing(request: Request, out: Path, missing: list[int]) -> None:
    path = missing_path(out)
    path.unlink(missing_ok=True)
    if missing:
        shots = [request.shot(row) for row in missing]
        record = [
            {
                "particle": int(request.particles.number[shot.index // request.repeats]),
                "repeat": shot.index % request.repeats,
                "pdg": shot.pdg,
                "kinetic_gev": shot.kinetic_gev,
                "engine_seed": shot.seed,
            }
            for shot in shots
        ]
        with write_aside(path) as aside:
            aside.write_text(json.dumps(record, indent=1), encoding="utf-8")


def provenance_of(
    request: Request, parts: Parts, fates: np.ndarray[Any, np.dtype[np.int8]]
) -> dict[str, str]:
    """What the file says of its origin, as plain strings."""
    setup = request.setup
    counts = {fate: str(int((fates == fate).sum())) for fate in (MISSED, LOST, MISSING)}
    origin = {
        "source": request.particles.source,
        "seed": str(request.seed),
        "repeats": str(request.repeats),
        "upstream": request.upstream.model_dump_json(),
        "missed_showers": counts[MISSED],
        "lost_showers": counts[LOST],
        "missing_showers": counts[MISSING],
        "software": f"caloforge {__version__}",
        "processor": processor(),
    }
    if request.command is not None:
        return {"engine": request.command, "tables": "of that engine", **origin}
    return {
        "engine": ENGINE.format(version=parts.engine),
        "tables": setup.tables_kind,
        "physics": " ".join(setup.physics),
        "cut_mm": str(setup.cut_mm),
        "scoring": setup.scoring,
        "light": f"{setup.light_table or 'formula'}, {setup.light_scale} counts a trapped photon",
        "geometry": setup.geometry,
        **origin,
    }


EM_PARTICLES = frozenset({22, 11, -11})

EM_LIST = ("G4EmStandardPhysics_option1",)
HADRONIC_LIST = (
    *EM_LIST,
    "G4DecayPhysics",
    "G4HadronElasticPhysics",
    "G4HadronPhysicsFTFP_BERT",
    "G4StoppingPhysics",
    "G4IonPhysics",
    "G4NeutronTrackingCut",
)

SCORINGS = {"fibres": ("light", "length", "interaction"), "plates": ("deposit",)}
"""Scorings of each kind of geometry, the default first."""


def prepare(
    detector: Detector,
    particles: Particles,
    *,
    repeats: int = 1,
    seed: int = 0,
    geometry: Geometry | None = None,
    scoring: str | None = None,
    light_table: str | Path | None = None,
    light_scale: float = LIGHT_SCALE,
    upstream: Upstream | None = None,
    command: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Request, Tables | None]:
    """A checked request, and the tables that Geant4 will read (None for another engine).

    Args:
        detector: That the particles fly into.
        particles: By ``draw`` or ``read_particles``.
        repeats: Showers of each particle.
        seed: Of all random numbers.
        geometry: Of the material; default: that of the detector.
        scoring: ``light`` or ``length`` for fibres (``interaction`` for the depth of the first one
            alone), ``deposit`` for plates.
        light_table: Trapped photons by speed and direction, instead of the built-in law.
        light_scale: Counts a trapped photon.
        upstream: Material before the detector.
        command: Of another engine, which Geant4 is not needed for.
        environ: Variables that name tables; default: those of the process.

    Returns:
        What ``transport`` takes.

    Raises:
        DataError: A table is incomplete, or the plates end before the layers do.
        UsageError: An unknown name, such as that of a scoring.
        CaloforgeError: Geant4 is not installed.

    Example:
        >>> from caloforge.detectors import ALICE_ZN
        >>> particles = draw("photons", ALICE_ZN, 2, seed=1)
        >>> engine = "my_engine {particles} {out} {seed}"
        >>> request, tables = prepare(ALICE_ZN, particles, repeats=3, command=engine)
        >>> len(request), tables is None
        (6, True)
    """
    require_seed(seed)
    geometry = geometry or geometry_of(detector)
    require_depth(geometry, detector)
    scoring = _scoring(geometry, scoring)
    hadronic = needs_hadrons(geometry, [int(pdg) for pdg in particles.pdg])
    tables = None
    if command is None:
        tables = _tables(geometry, hadronic, os.environ if environ is None else environ)
    else:
        check_command(command)
    if light_table is not None:
        light_table = Path(light_table)
        Table.read(light_table)
    setup = Setup(
        detector=detector.name,
        geometry=geometry.model_dump_json(),
        physics=HADRONIC_LIST if hadronic else EM_LIST,
        cut_mm=geometry.cut_mm,
        scoring=scoring,
        tables=str(tables.folder) if tables else "",
        tables_kind=tables.kind if tables else "",
        light_scale=light_scale,
        light_table=str(light_table.resolve()) if light_table else None,
    )
    above = upstream or Upstream()
    return Request(detector, geometry, setup, particles, repeats, seed, above, command), tables


def _scoring(geometry: Geometry, name: str | None) -> str:
    """A scoring of these plates or fibres by its name; UsageError where there is none."""
    names = SCORINGS[geometry.kind]
    if name is not None and name not in names:
        raise UsageError(f"no scoring {name} of {geometry.kind}; there is {', '.join(names)}")
    return name or names[0]


def _tables(geometry: Geometry, hadronic: bool, environ: Mapping[str, str]) -> Tables:
    """The tables that Geant4 will read, where it is installed."""
    require_engine()
    elements = [z for material in geometry.materials for z in material.elements]
    return find_tables(elements, hadronic=hadronic, environ=environ)


def needs_hadrons(geometry: Geometry, pdgs: Sequence[int]) -> bool:
    """Whether nuclei matter: always in fibre stacks, else unless all are electrons or photons."""
    return geometry.physics == "hadronic" or not EM_PARTICLES.issuperset(pdgs)


def require_engine() -> None:
    """CaloforgeError where the wheel of Geant4 is not installed."""
    if find_spec("geant4_pybind") is None:
        raise CaloforgeError(
            f"Geant4 is not installed: {install('geant4')} (there is no wheel for Linux aarch64; "
            "--engine-command runs another engine)"
        )


def read_geometry(path: str | Path) -> Geometry:
    """A geometry from JSON, as an output keeps it in ``geometry``; DataError for anything else."""
    path = Path(path)
    try:
        return GEOMETRY.validate_json(json.dumps(read_json(path)))
    except ValidationError as error:
        raise DataError(f"{path}: not a geometry: {flaw_of(error)}") from None


def choose_particles(
    detector: Detector,
    file: Path | None,
    spectrum: str | None,
    number: int | None,
    seed: int,
    pdg: Sequence[int] = (),
) -> Particles:
    """Particles of a file or of a named spectrum; UsageError unless exactly one is named."""
    if (file is None) == (spectrum is None):
        raise UsageError("name the particles: either --particles FILE or --spectrum NAME")
    if spectrum is not None and pdg:
        raise UsageError("--pdg chooses among the particles of a FILE; a spectrum has its own")
    if file is not None:
        return read_particles(file, detector, pdg=pdg).first(number)
    if number is None:
        raise UsageError("--spectrum needs -n, the number of particles")
    return draw(spectrum or "", detector, number, seed)
