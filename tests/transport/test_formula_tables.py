"""Stand-in tables against numbers that anyone can look up, and official ones as they are found."""

import os
from pathlib import Path

import numpy as np
import pytest

from caloforge.errors import DataError
from caloforge.transport import formulas
from caloforge.transport.data_tables import (
    DATA_SETS,
    cache_folder,
    doctor,
    find_tables,
    formula_tables,
)

AVOGADRO = 6.02214076e23


def radiative_loss(kinetic: float, charge: int, mass: float) -> float:
    """Energy lost to photons in MeV cm2/g, the integral of k dsigma over photons."""
    shares = np.linspace(1e-4, 0.9999, 4000)
    table = formulas.bremsstrahlung(np.array([np.log(kinetic)]), shares, charge)[0]
    gamma = 1 + kinetic / formulas.ELECTRON_MEV
    beta2 = 1 - gamma**-2
    sigma = table * charge**2 / beta2 * formulas.MILLIBARN_CM2
    return float(np.trapezoid(sigma, shares) * kinetic * AVOGADRO / mass)


def test_lead_radiates_as_its_radiation_length_says() -> None:
    assert radiative_loss(1000.0, 82, 207.2) == pytest.approx(1000 / 6.37, rel=0.03)


def test_the_two_bremsstrahlung_formulas_meet() -> None:
    photon = np.linspace(0.1, 0.8, 8) * 10.0
    low, high = formulas.koch_motz(10.0, photon, 29), formulas.tsai(10.0, photon, 29)
    assert np.all(np.abs(low / high - 1) < 0.25)


@pytest.mark.parametrize(("charge", "mass", "density", "length_cm"), [
    (74, 183.84, 19.3, 9.946), (82, 207.2, 11.35, 17.59), (29, 63.55, 8.96, 15.32),
])  # fmt: skip
def test_fast_neutrons_interact_as_pdg_says(
    charge: int, mass: float, density: float, length_cm: float
) -> None:
    barn = formulas.inelastic_barn(np.array([2e4]), mass, charge)[0]
    assert mass / (AVOGADRO * barn * 1e-24 * density) == pytest.approx(length_cm, rel=0.06)


def test_cross_sections_are_finite_and_not_negative() -> None:
    energy = np.logspace(-13, 4.3, 200)
    for charge in range(1, 95):
        mass = formulas.MASS_NUMBERS[charge]
        for sigma in (
            formulas.inelastic_barn(energy, mass, charge),
            formulas.inelastic_barn(energy, mass, charge, charged=True),
            formulas.elastic_barn(energy, mass),
            formulas.capture_barn(energy, mass),
            formulas.photonuclear_barn(energy, mass, charge),
        ):
            assert np.isfinite(sigma).all()
            assert (sigma >= 0).all()


def official(root: Path, elements: tuple[int, ...], *, with_versions: bool = True) -> Path:
    """A folder that looks like official data sets, with empty files."""
    for data_set in DATA_SETS:
        folder = root / f"{data_set.folder}{'8.8' if with_versions else ''}"
        folder.mkdir(parents=True)
        for z in {1, *elements}:
            for name in data_set.files(z):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    return root


def test_without_variables_formulas_are_used(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    tables = find_tables((82,), hadronic=True, environ=environ)
    assert tables.kind == "formula"
    assert tables.folder == cache_folder(environ)
    assert tables.folder.is_relative_to(tmp_path)
    assert not list(tmp_path.iterdir())


def test_official_tables_are_found_and_named(tmp_path: Path) -> None:
    root = official(tmp_path, (82, 18))
    tables = find_tables((82, 18), hadronic=True, environ={"GEANT4_DATA_DIR": str(root)})
    assert tables.kind == "official"
    assert tables.variables["G4LEDATA"] == str(root / "G4EMLOW8.8")
    assert str(root) in tables.describe()


@pytest.mark.parametrize(
    "name",
    ["G4EMLOW8.8/brem_SB/br82", "G4PARTICLEXS8.8/neutron/el82", "G4ENSDFSTATE8.8/ENSDFSTATE.dat"],
)
def test_the_missing_file_is_named(tmp_path: Path, name: str) -> None:
    root = official(tmp_path, (82,))
    (root / name).unlink()
    with pytest.raises(DataError, match=os.path.basename(name)):  # noqa: PTH119 - not a path
        find_tables((82,), hadronic=True, environ={"GEANT4_DATA_DIR": str(root)})


def test_an_empty_folder_is_an_error_and_not_a_download(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="G4EMLOW"):
        find_tables((82,), hadronic=False, environ={"GEANT4_DATA_DIR": str(tmp_path)})


def test_a_single_variable_wins(tmp_path: Path) -> None:
    root = official(tmp_path / "all", (82,))
    own = official(tmp_path / "own", (82,), with_versions=False) / "G4EMLOW"
    environ = {"GEANT4_DATA_DIR": str(root), "G4LEDATA": str(own)}
    assert find_tables((82,), hadronic=False, environ=environ).variables["G4LEDATA"] == str(own)


def test_workers_get_only_the_chosen_tables(tmp_path: Path) -> None:
    tables = formula_tables(tmp_path)
    environment = tables.environment({"G4LEDATA": "/elsewhere", "HOME": "/h"})
    assert environment["G4LEDATA"].startswith(str(tmp_path))
    assert environment["GEANT4_DATA_DIR"] == str(tmp_path)
    assert environment["HOME"] == "/h"


def test_doctor_tells_the_tables(tmp_path: Path) -> None:
    assert "formula" in doctor({"XDG_CACHE_HOME": str(tmp_path)})["tables"]
    assert "incomplete" in doctor({"GEANT4_DATA_DIR": str(tmp_path)})["tables"]
