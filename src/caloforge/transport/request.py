"""What a transport run is asked for, in full: the record that decides every shower.

Shapes: P particles, N = P x repeats showers, C conditions; shower n belongs to particle
n // repeats. Particles are those of a table or of a named spectrum, with their PDG numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.data.kinematics import kinematic_flaw
from caloforge.detector import Detector
from caloforge.detector.features import Description
from caloforge.errors import DataError, UsageError
from caloforge.machine import require_seed
from caloforge.particles import law_of_name, read_pieces
from caloforge.transport.arrival import Arrivals, Upstream, arrivals, survival
from caloforge.transport.geometry import Geometry
from caloforge.transport.light import LIGHT_SCALE


@dataclass(frozen=True)
class Particles:
    """What is shot, one row a particle."""

    pdg: NDArray[np.int32]
    conditions: NDArray[np.float64]
    number: NDArray[np.int64]
    """Names the particle in the output and in its seeds."""
    source: str

    def __len__(self) -> int:
        return len(self.pdg)

    def first(self, count: int | None) -> Particles:
        """The first particles; UsageError where there are fewer."""
        if count is None:
            return self
        if count > len(self):
            raise UsageError(f"{self.source} holds {len(self)} particles, not {count}")
        rows = slice(count)
        return replace(
            self, pdg=self.pdg[rows], conditions=self.conditions[rows], number=self.number[rows]
        )

    @property
    def fingerprint(self) -> str:
        """Hash of all numbers, so that a resumed run meets the same particles."""
        digest = hashlib.sha256()
        for array in (self.pdg, self.conditions, self.number):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def read_particles(path: str | Path, detector: Detector, *, pdg: Sequence[int] = ()) -> Particles:
    r"""Particles of a table, one row for each even where it holds repeats.

    Args:
        path: CSV, npz, HDF5, parquet, ROOT or HepMC3 (``caloforge.particles``).
        detector: That they fly into.
        pdg: Types to keep; default: all.

    Raises:
        DataError: The file is missing, foreign, lacks a column or a known type, or a row can be no
            particle.

    Example:
        >>> from caloforge.detectors import ATLAS_EM
        >>> _ = Path("e.csv").write_text("pdg,energy,ux,uy,uz\n-11,50,0,0,1\n")
        >>> read_particles("e.csv", ATLAS_EM).pdg.tolist()
        [-11]
    """
    types, conditions, numbers = [], [], []
    for piece in read_pieces(path, detector, pdg=pdg):
        if piece.pdg is None:
            raise DataError(f"{path}: the particles' types are not known; give a column pdg")
        types.append(piece.pdg)
        conditions.append(piece.conditions)
        numbers.append(piece.particle)
    number = np.concatenate(numbers)
    _, rows = np.unique(number, return_index=True)
    rows = np.sort(rows)
    table = np.concatenate(conditions)[rows]
    if flaw := kinematic_flaw(detector, table):
        raise DataError(f"{path}: {flaw}")
    return Particles(np.concatenate(types)[rows], table, number[rows], str(path))


def draw(name: str, detector: Detector, count: int, seed: int) -> Particles:
    """Particles of a named spectrum.

    Args:
        name: Of the spectrum.
        detector: That they fly into.
        count: Number of particles.
        seed: Of the random numbers.

    Raises:
        UsageError: The detector has no such spectrum; the message names those that it has.

    Example:
        >>> from caloforge.detectors import ALICE_ZN
        >>> draw("photons", ALICE_ZN, 3, seed=1).pdg.tolist()
        [22, 22, 22]
    """
    law = law_of_name(name, detector)
    rng = np.random.default_rng([require_seed(seed), *name.encode()])
    pdg, conditions = law(rng, detector, count)
    return Particles(pdg, conditions, np.arange(count), f"spectrum {name}, seed {seed}")


ENERGIES_GEV = (1e-3, 1e5)
"""Kinetic energies that the physics list covers (FTFP_BERT and EM option1, 1 MeV to 100 TeV)."""

SHARD_CPU_SECONDS = 30.0
CPU_SECONDS_PER_GEV = 0.006
LARGEST_SHARD = 500
SHARDS_A_WORKER = 4

NOTHING_UPSTREAM = Upstream()

TRANSPORTED, MISSED, LOST, MISSING = range(4)
"""What became of a shower: in the engine, beside the face, stopped upstream, not to be had."""


class Setup(Description):
    """All that decides a shower besides the shot itself; part of the record of the output."""

    detector: str
    geometry: str
    """JSON of the geometry, so that a worker builds what the caller described."""
    physics: tuple[str, ...]
    """Constructors of the physics list, in order."""
    cut_mm: float
    scoring: str
    tables: str
    """Folder of the data tables."""
    tables_kind: str
    light_scale: float = LIGHT_SCALE
    light_table: str | None = None
    profile: bool = False
    """Whether the depth profile of each shower is returned too."""


@dataclass(frozen=True)
class Shot:
    """One particle at the front face (x, y in mm from its middle, z = 0), and the engine's seed."""

    index: int
    pdg: int
    kinetic_gev: float
    position_mm: tuple[float, float]
    direction: tuple[float, float, float]
    seed: int


@dataclass(frozen=True)
class Shower:
    """What the calorimeter saw of a shot."""

    index: int
    cells: NDArray[np.float32]
    """Counts or GeV of each flat cell.  (K,)"""
    overflow: NDArray[np.float32]
    """GeV outside the cells, of each layer; empty for fibre calorimeters.  (L,)"""
    profile: NDArray[np.float32]
    """Signal along the depth where it was asked for, else empty.  (bins,)"""
    cpu_seconds: float


def shower_seed(seed: int, particle: int, repeat: int) -> int:
    """Seed of the engine for one shower: it depends on nothing else, so any worker can redo it."""
    state = np.random.SeedSequence([seed, particle, repeat]).generate_state(2, np.uint32)
    return int((int(state[0]) << 31 | int(state[1]) >> 1) & (2**62 - 1)) or 1


@dataclass(frozen=True)
class Request:
    """Particles, repeats, seed, geometry and set-up of a run."""

    detector: Detector
    geometry: Geometry
    setup: Setup
    particles: Particles
    repeats: int
    seed: int
    upstream: Upstream = NOTHING_UPSTREAM
    command: str | None = None
    """Another engine: the command that it is called by."""

    def __len__(self) -> int:
        return len(self.particles) * self.repeats

    @property
    def overflow_layers(self) -> int:
        """Layers whose deposits beside the cells are kept."""
        return len(self.detector.layers) if self.geometry.kind == "plates" else 0

    @cached_property
    def arrivals(self) -> Arrivals:
        """Where the particles meet the face; DataError for energies outside the engine's range."""
        at_face = arrivals(self.detector, self.geometry, self.particles.conditions)
        low, high = ENERGIES_GEV
        outside = (at_face.kinetic_gev < low) | (at_face.kinetic_gev > high)
        if outside.any():
            row = int(np.argmax(outside))
            raise DataError(
                f"{self.particles.source}: row {row}: kinetic energy {at_face.kinetic_gev[row]:.4g}"
                f" GeV is outside the engine's range of {low:g} to {high:g} GeV"
            )
        return at_face

    @cached_property
    def fates(self) -> NDArray[np.int8]:
        """Whether each shower is transported, misses or is lost upstream.  (N,)"""
        through = survival(self.upstream, self.particles.pdg, self.arrivals)
        fates = np.full(len(self), TRANSPORTED, np.int8)
        if (through < 1).any():
            fates[self._chances() >= np.repeat(through, self.repeats)] = LOST
        fates[~np.repeat(self.arrivals.hits, self.repeats)] = MISSED
        return fates

    def _chances(self) -> NDArray[np.float64]:
        """One number in [0, 1) of each shower, from its own seed.  (N,)"""
        seeds = (self.shot(row).seed for row in range(len(self)))
        return np.array([np.random.default_rng([seed, 1]).random() for seed in seeds])

    def shot(self, row: int) -> Shot:
        """What the engine is asked for shower ``row``."""
        place, repeat = divmod(row, self.repeats)
        at, number = self.arrivals, int(self.particles.number[place])
        ux, uy, uz = at.direction[place].tolist()
        return Shot(
            index=row,
            pdg=int(self.particles.pdg[place]),
            kinetic_gev=float(at.kinetic_gev[place]),
            position_mm=(float(at.x_mm[place]), float(at.y_mm[place])),
            direction=(ux, uy, uz),
            seed=shower_seed(self.seed, number, repeat),
        )

    def conditions(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Conditions of showers.  (rows, C)"""
        return self.particles.conditions[rows // self.repeats]

    def shard_rows(self, workers: int = 1) -> int:
        """Showers per shard: about half a minute of one core, with work for all workers.

        Another engine gets one seed a shard, so that its shards may not depend on the workers.
        """
        if self.command is not None:
            workers = 1
        mean = max(float(self.arrivals.kinetic_gev.mean()) * CPU_SECONDS_PER_GEV, 1e-3)
        fair = -(-len(self) // (SHARDS_A_WORKER * workers)) if workers > 1 else len(self)
        return int(np.clip(SHARD_CPU_SECONDS / mean, 1, min(LARGEST_SHARD, fair)))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that decides the arrays."""
        digest = hashlib.sha256()
        for part in (
            self.detector.fingerprint,
            self.setup.model_dump_json(exclude={"tables"}),
            self.particles.fingerprint,
            self.upstream.model_dump_json(),
            f"{self.repeats} {self.seed} {self.command}",
        ):
            digest.update(part.encode())
        if self.setup.light_table:
            digest.update(Path(self.setup.light_table).read_bytes())
        return digest.hexdigest()[:16]
