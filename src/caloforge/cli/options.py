"""Options that mean the same in every verb.

Names that the shell completes: recipes, detectors, samples, simulators, spectra, targets.

The library writes the script of the shell (``caloforge --install-completion``). Nothing here loads
torch: a name has to appear at once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from caloforge.errors import UsageError
from caloforge.machine import LARGEST_SEED, MOST_THREADS
from caloforge.reporter import Reporter

LARGEST_COUNT = 10**12
"""Showers, or repeats, of one order."""
LARGEST_NUMBER = 1e12
LARGEST_PDG = 2**31 - 1


def whole_number(*names: str, most: int = LARGEST_COUNT, least: int = 1, **more: Any) -> Any:
    """An option that takes whole numbers between bounds: no number is too large for what follows.

    Args:
        names: As in ``-n``; none: the name of the parameter.
        most: The largest number.
        least: The smallest one.
        more: What ``typer.Option`` takes.
    """
    return typer.Option(*names, min=least, max=most, **more)


def finite_number(*names: str, least: float = -LARGEST_NUMBER, **more: Any) -> Any:
    """An option that takes a number, at least ``least``; neither infinity nor NaN."""
    return typer.Option(*names, min=least, max=LARGEST_NUMBER, **more)


def pdg_number(text: str, **more: Any) -> Any:
    """An option that takes a PDG number."""
    return whole_number("--pdg", most=LARGEST_PDG, least=-LARGEST_PDG, help=text, **more)


Out = Annotated[Path, typer.Option("--out", "-o", help="Where to write.", show_default=False)]
Seed = Annotated[
    int, whole_number("--seed", most=LARGEST_SEED, least=0, help="Seed of all random numbers.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No log and no progress.")]
Json = Annotated[bool, typer.Option("--json", help="Results on stdout as one JSON document.")]
Force = Annotated[bool, typer.Option("--force", help="Replace output that exists.")]
Workers = Annotated[int, whole_number("--workers", most=MOST_THREADS, help="Processes to use.")]


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
    pdg_number("Only these PDG numbers of FILE; repeat.", show_default=False),
]


def showers_file(text: str) -> Path:
    """A file, or the name of a shipped sample where there is no such file."""
    from caloforge.data.samples import showers_path

    return showers_path(text)


def shipped_showers(detector: str, option: str) -> Path:
    """The shipped showers of a detector; UsageError names the option to use where none ship."""
    from caloforge.data.samples import SAMPLES, sample_path

    if detector not in SAMPLES:
        raise UsageError(f"no showers of {detector} ship; name a file with {option}")
    return sample_path(detector)


def reporter_of(quiet: bool, json: bool) -> Reporter:
    """The reporter that these options ask for."""
    return Reporter(quiet=quiet, json=json)


def require_heeded(context: typer.Context, option: str, *heeded: str) -> None:
    """Raise UsageError where an option was given that does nothing beside another one.

    Args:
        context: What the command line gave.
        option: The one that leaves the others without a meaning.
        heeded: Names of the parameters that keep theirs.
    """
    for parameter in context.command.params:
        name = str(parameter.name)
        if name in heeded or name not in context.params:
            continue
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            given = max(parameter.opts, key=len)
            raise UsageError(f"{given} has no meaning with {option}: leave one of them out")


PACKAGE = Path(__file__).parents[1]


def recipe_names() -> list[str]:
    """Functions ``(detector) -> Recipe`` of the package, read and not run."""
    names = []
    for path in (PACKAGE / "recipes").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Name):
                arguments = [argument.arg for argument in node.args.args]
                if arguments == ["detector"] and node.returns.id == "Recipe":
                    names.append(node.name.replace("_", "-"))
    return sorted(names)


def recipes(incomplete: str) -> list[str]:
    """Names of recipes that begin so."""
    return beginning(incomplete, recipe_names())


def detectors(incomplete: str) -> list[str]:
    """Names of detectors that begin so."""
    from caloforge.detectors import DETECTORS

    return beginning(incomplete, DETECTORS.own)


def samples(incomplete: str) -> list[str]:
    """Names of shipped showers that begin so."""
    from caloforge.data.samples import SAMPLES

    return beginning(incomplete, SAMPLES)


def simulators(incomplete: str) -> list[str]:
    """Names of shipped simulators that begin so."""
    from caloforge.simulator.shipped import shipped_simulators

    return beginning(incomplete, shipped_simulators())


def spectra(incomplete: str) -> list[str]:
    """Names of spectra of all detectors that begin so."""
    from caloforge.detectors import FACTS

    return beginning(incomplete, {name for facts in FACTS.own.values() for name in facts.spectra})


def targets(incomplete: str) -> list[str]:
    """Names of export targets that begin so."""
    from caloforge.export.bundle import TARGETS

    return beginning(incomplete, [*TARGETS, "int8", "half"])


def beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    """Those of the names that begin so, in order."""
    return sorted(name for name in names if name.startswith(incomplete))
