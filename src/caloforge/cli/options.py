"""Options that mean the same in every verb."""

from pathlib import Path
from typing import Annotated

import typer

from caloforge.errors import UsageError
from caloforge.machine import MOST_THREADS
from caloforge.reporter import Reporter

Out = Annotated[Path, typer.Option("--out", "-o", help="Where to write.", show_default=False)]
LARGEST_SEED = 2**63 - 1
Seed = Annotated[
    int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Seed of all random numbers.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No log and no progress.")]
Json = Annotated[bool, typer.Option("--json", help="Results on stdout as one JSON document.")]
Force = Annotated[bool, typer.Option("--force", help="Replace output that exists.")]
Workers = Annotated[
    int, typer.Option("--workers", min=1, max=MOST_THREADS, help="Processes to use.")
]


ParticlesFile = Annotated[
    Path | None,
    typer.Option(
        "--particles",
        metavar="FILE",
        help="Particles from a table: CSV, npz, HDF5, parquet, ROOT or HepMC3, with the columns of "
        "the detector, or pdg with E and direction (ux, uy, uz), or pdg with px, py, pz; units as "
        "in E[MeV].",
        show_default=False,
    ),
]
PdgNumbers = Annotated[
    list[int] | None,
    typer.Option("--pdg", help="Only these PDG numbers of FILE; repeat.", show_default=False),
]


def showers_file(text: str) -> Path:
    """A file, or the name of a shipped sample where there is no such file."""
    from caloforge.data.samples import SAMPLES, sample_path

    path = Path(text)
    return sample_path(text) if text in SAMPLES and not path.exists() else path


def shipped_showers(detector: str, option: str) -> Path:
    """The shipped showers of a detector; UsageError names the option to use where none ship."""
    from caloforge.data.samples import SAMPLES, sample_path

    if detector not in SAMPLES:
        raise UsageError(f"no showers of {detector} ship; name a file with {option}")
    return sample_path(detector)


def reporter_of(quiet: bool, json: bool) -> Reporter:
    """The reporter that these options ask for."""
    return Reporter(quiet=quiet, json=json)
