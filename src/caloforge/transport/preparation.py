"""From what a user names to a Request: geometry, physics list, tables, set-up, all checked."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError

from caloforge.detector import Detector
from caloforge.documents import flaw_of, read_json
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.machine import install
from caloforge.transport.arrival import Upstream
from caloforge.transport.external import check_command
from caloforge.transport.geometry import GEOMETRY, Geometry, geometry_of
from caloforge.transport.light import LIGHT_SCALE, Table
from caloforge.transport.particles import Particles, draw, read_particles
from caloforge.transport.request import Request, Setup
from caloforge.transport.tables import Tables, find_tables

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

SCORINGS = {"fibres": "light", "plates": "deposit"}
"""The default scoring of each kind of geometry."""


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

    Raises DataError for incomplete tables, UsageError for unknown names, CaloforgeError: no wheel.
    """
    geometry = geometry or geometry_of(detector)
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
        scoring=scoring or SCORINGS[geometry.kind],
        tables=str(tables.folder) if tables else "",
        tables_kind=tables.kind if tables else "",
        light_scale=light_scale,
        light_table=str(light_table.resolve()) if light_table else None,
    )
    above = upstream or Upstream()
    return Request(detector, geometry, setup, particles, repeats, seed, above, command), tables


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
