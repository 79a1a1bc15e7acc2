"""``caloforge transport``: make showers with Geant4, or with another engine's command."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from caloforge.cli.options import (
    Force,
    Json,
    Out,
    ParticlesFile,
    PdgNumbers,
    Quiet,
    Seed,
    Workers,
    finite_number,
    reporter_of,
    whole_number,
)

DetectorName = Annotated[
    str,
    typer.Argument(metavar="DETECTOR", help="alice_zn, alice_zp or atlas_em.", show_default=False),
]
SpectrumName = Annotated[
    str | None,
    typer.Option(
        "--spectrum",
        help="Named particles instead: spectator-neutrons, spectator-protons, photons, hadron-mix; "
        "eplus, gamma, piplus.",
    ),
]
Number = Annotated[
    int | None, whole_number("-n", "--number", help="Particles; default: all of the file.")
]
Repeats = Annotated[int, whole_number("--repeats", help="Showers of each particle.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")]
GeometryFile = Annotated[
    Path | None, typer.Option("--geometry", help="JSON of another geometry (docs/transport.md).")
]
Scoring = Annotated[
    Literal["light", "length", "deposit"] | None,
    typer.Option(
        "--scoring", help="Fibres: light of each step (default), or length (all C++, faster)."
    ),
]
LightTable = Annotated[
    Path | None, typer.Option("--light-table", help="npz of the light yield per mm of a fibre.")
]
RadiationLengths = Annotated[
    float, finite_number("--slab-x0", least=0, help="Material upstream in radiation lengths.")
]
InteractionLengths = Annotated[
    float, finite_number("--slab-lambda", least=0, help="Material upstream in interaction lengths.")
]
Aperture = Annotated[
    float | None, finite_number("--aperture", least=0, help="Radius in mm of an opening upstream.")
]
Renew = Annotated[
    int | None, whole_number("--renew-after", help="Start workers anew after n showers.")
]
EngineCommand = Annotated[
    str | None,
    typer.Option(
        "--engine-command",
        help="Another engine: a command with {particles}, {out} and perhaps {seed}.",
    ),
]


# fmt: off
def command(
    detector: DetectorName, out: Out,
    particles: ParticlesFile = None, pdg: PdgNumbers = None, spectrum: SpectrumName = None,
    number: Number = None,
    repeats: Repeats = 1, seed: Seed = 0, workers: Workers = 1, resume: Resume = False,
    geometry: GeometryFile = None, scoring: Scoring = None, light_table: LightTable = None,
    slab_x0: RadiationLengths = 0.0, slab_lambda: InteractionLengths = 0.0,
    aperture: Aperture = None, renew_after: Renew = None, engine_command: EngineCommand = None,
    force: Force = False, quiet: Quiet = False, json: Json = False,
) -> None:
    # fmt: on
    """Transport particles through a calorimeter with Geant4 and write the showers.

    The same seed gives the same arrays whatever the number of workers.
    """
    from caloforge.detectors.files import find_detector
    from caloforge.transport import Pool, Upstream, prepare, transport
    from caloforge.transport.run import choose_particles, read_geometry

    reporter = reporter_of(quiet, json)
    target = find_detector(detector)
    request, tables = prepare(
        target,
        choose_particles(target, particles, spectrum, number, seed, pdg or ()),
        repeats=repeats,
        seed=seed,
        geometry=read_geometry(geometry) if geometry else None,
        scoring=scoring,
        light_table=light_table,
        upstream=Upstream(
            radiation_lengths=slab_x0, interaction_lengths=slab_lambda, aperture_mm=aperture
        ),
        command=engine_command,
    )
    pool = Pool(workers, renew_after)
    summary = transport(
        request, tables, out, pool=pool, resume=resume, overwrite=force, reporter=reporter
    )
    reporter.result(str(summary), summary.record())
