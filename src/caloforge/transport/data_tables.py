"""Which data tables Geant4 reads: official ones where the environment points, else formulas.

Geant4 needs four of its data sets here. Official tables are never mixed
with formulas: a data set that is pointed to but incomplete is an error that names the file, raised
before the engine would abort. Formula tables are written once to a cache folder, file by file and
aside, so that several processes may do it together; outputs record which kind was used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from caloforge.errors import DataError
from caloforge.machine import install

FOLDER_VARIABLE = "GEANT4_DATA_DIR"
FORMULA_VERSION = 1
LAST_NEUTRON_ELEMENT = 94


@dataclass(frozen=True)
class DataSet:
    """One data set of Geant4 and the files in it that this transport opens."""

    variable: str
    folder: str
    files: Callable[[int], Sequence[str]]
    """Files needed for an element."""
    hadronic: bool = False


def _electromagnetic(z: int) -> Sequence[str]:
    photoelectric = [f"epics2017/phot/pe-{part}-{z}.dat" for part in ("cs", "high", "low")]
    return [f"brem_SB/br{z}", *photoelectric]


DATA_SETS = (
    DataSet("G4LEDATA", "G4EMLOW", _electromagnetic),
    DataSet("G4LEVELGAMMADATA", "PhotonEvaporation", lambda z: ()),
    DataSet("G4ENSDFSTATEDATA", "G4ENSDFSTATE", lambda z: ("ENSDFSTATE.dat",)),
    DataSet(
        "G4PARTICLEXSDATA",
        "G4PARTICLEXS",
        lambda z: [f"neutron/{kind}{z}" for kind in ("inel", "el", "cap")],
        hadronic=True,
    ),
)


@dataclass(frozen=True)
class Tables:
    """Where the tables are, and whether they are ``official`` or ``formula``."""

    kind: str
    folder: Path
    variables: Mapping[str, str]

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Environment for a process that imports Geant4; also stops its download question."""
        variables = {data_set.variable for data_set in DATA_SETS}
        rest = {name: value for name, value in environ.items() if name not in variables}
        return {**rest, FOLDER_VARIABLE: str(self.folder), **self.variables}

    def describe(self) -> str:
        """One line for the screen and for the output."""
        if self.kind == "official":
            return f"official Geant4 tables in {self.folder}"
        return "formula stand-ins for low-energy tables (transport is Geant4, these tables are not)"


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where formula tables are kept between runs."""
    root = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "caloforge" / f"geant4-formula-{FORMULA_VERSION}"


def find_tables(elements: Sequence[int], *, hadronic: bool, environ: Mapping[str, str]) -> Tables:
    """Official tables where the environment points to them, else the formula folder.

    Args:
        elements: Atomic numbers of the material.
        hadronic: Whether tables of hadrons are needed, too.
        environ: ``GEANT4_DATA_DIR`` and the single ``G4...DATA`` variables.

    Raises:
        DataError: An official data set lacks a file or folder, which is named.
    """
    data_sets = [data_set for data_set in DATA_SETS if hadronic or not data_set.hadronic]
    pointed = [d.variable for d in DATA_SETS if environ.get(d.variable)]
    if not environ.get(FOLDER_VARIABLE) and not pointed:
        return formula_tables(cache_folder(environ))
    for variable in pointed:
        if not Path(environ[variable]).is_dir():
            raise DataError(f"{variable}: {environ[variable]} is not a folder")
    folders = {d.variable: _official_folder(d, environ) for d in data_sets}
    for data_set in data_sets:
        _require_complete(folders[data_set.variable], data_set, elements)
    root = Path(environ.get(FOLDER_VARIABLE) or folders[data_sets[0].variable].parent)
    return Tables("official", root, {name: str(folder) for name, folder in folders.items()})


def formula_tables(folder: Path) -> Tables:
    """The formula tables in a folder, written there by ``write_tables`` when they are missing."""
    return Tables("formula", folder, {d.variable: str(folder / d.folder) for d in DATA_SETS})


def _official_folder(data_set: DataSet, environ: Mapping[str, str]) -> Path:
    """Folder of a data set: its own variable wins, as in Geant4."""
    if own := environ.get(data_set.variable):
        return Path(own)
    root = environ.get(FOLDER_VARIABLE)
    matches = sorted(Path(root).glob(f"{data_set.folder}*")) if root else []
    if matches:
        return matches[-1]
    where = f"{FOLDER_VARIABLE}={root} has no folder {data_set.folder}*, and " if root else ""
    raise DataError(
        f"{where}{data_set.variable} is not set: set it to that Geant4 data set, or unset all "
        "variables of Geant4 data to use formula tables"
    )


def _require_complete(folder: Path, data_set: DataSet, elements: Sequence[int]) -> None:
    """DataError for the first missing file."""
    if not folder.is_dir():
        raise DataError(f"{data_set.variable}: {folder} is not a folder")
    for z in sorted({1, *elements}):
        for name in data_set.files(z):
            if not (folder / name).is_file():
                raise DataError(
                    f"{data_set.variable}: {folder / name} is missing; the data set is incomplete "
                    "(unset the Geant4 variables to use formula tables)"
                )


def missing_files(tables: Tables, elements: Sequence[int], *, hadronic: bool) -> list[Path]:
    """Formula files that are not in the cache yet."""
    return [path for path in _formula_files(tables, elements, hadronic) if not path.exists()]


def _formula_files(tables: Tables, elements: Sequence[int], hadronic: bool) -> Iterator[Path]:
    for data_set in DATA_SETS:
        folder = Path(tables.variables[data_set.variable])
        if data_set.hadronic and not hadronic:
            continue
        numbers = range(1, LAST_NEUTRON_ELEMENT + 1) if data_set.hadronic else {1, *elements}
        yield from (folder / name for z in sorted(numbers) for name in data_set.files(z))


def doctor(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What transport would use here: engine wheel, tables, folder; for ``caloforge doctor``."""
    from importlib.metadata import PackageNotFoundError, version

    environ = os.environ if environ is None else environ
    try:
        wheel = f"geant4-pybind {version('geant4-pybind')}"
    except PackageNotFoundError:
        wheel = f"not installed: {install('geant4')} (no wheel for Linux aarch64)"
    try:
        tables = find_tables((), hadronic=True, environ=environ)
    except DataError as error:
        return {"engine": wheel, "tables": f"incomplete: {error}"}
    return {"engine": wheel, "tables": tables.describe(), "folder": str(tables.folder)}
