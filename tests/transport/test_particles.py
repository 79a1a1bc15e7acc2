"""Particles are read as written, and spectra are what they are called."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from caloforge.detectors import ALICE_ZN, ATLAS_EM, DETECTORS, FACTS
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.transport.arrival import arrivals
from caloforge.transport.geometry import geometry_of
from caloforge.transport.request import draw, read_particles

PHOTON = [100.0, 0, 0, 0, 0.01, 0.02, 100.0, 0, 0]
NEUTRON = [1380.0, 0, 0, 0, 0.1, 0.0, 1379.9, 939.565, 0]


def csv(path: Path, header: str, *lines: str) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_text_tables_find_types_by_mass_and_charge(tmp_path: Path) -> None:
    lines = [",".join(map(str, row)) for row in (PHOTON, NEUTRON)]
    actual = read_particles(csv(tmp_path / "p.csv", ",".join(ALICE_ZN.columns), *lines), ALICE_ZN)
    assert actual.pdg.tolist() == [22, 2112]
    assert actual.conditions.tolist() == [PHOTON, NEUTRON]
    assert actual.number.tolist() == [0, 1]


def test_columns_are_taken_by_name(tmp_path: Path) -> None:
    path = csv(tmp_path / "p.csv", "pdg,y0,x0,phi,theta,E", "-11,1,2,0,1.57,50")
    actual = read_particles(path, ATLAS_EM)
    assert actual.conditions.tolist() == [[50, 1.57, 0, 2, 1]]
    assert actual.pdg.tolist() == [-11]


def test_repeats_in_a_file_are_one_particle(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file["conditions"] = np.array([PHOTON, PHOTON, NEUTRON])
        file["pdg"] = np.array([22, 22, 2112])
        file["particle"] = np.array([7, 7, 3])
    actual = read_particles(path, ALICE_ZN)
    assert actual.number.tolist() == [7, 3]
    assert actual.pdg.tolist() == [22, 2112]
    assert len(actual.first(1)) == 1
    with pytest.raises(UsageError, match="holds 2 particles, not 3"):
        actual.first(3)


def npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"conditions": np.array([PHOTON[:-1]])}, "not rows of"),
        ({"conditions": np.array([[*PHOTON[:-1], np.nan]])}, "row 0 are not finite"),
        ({"conditions": np.array([[*PHOTON[:-2], 5000.0, 2.0]])}, "no particle of 5000"),
        ({"conditions": np.array([[*PHOTON[:6], -9.0, *PHOTON[7:]]])}, "mass and momentum make 9"),
        ({"conditions": np.array([PHOTON]), "pdg": np.array([22, 22])}, "different lengths"),
        ({"conditions": np.array([PHOTON]), "particle": np.array([-1])}, "not negative"),
        ({"conditions": np.array([{}])}, "never loaded"),
        ({"other": np.zeros(3)}, "no column Energy"),
    ],
)
def test_bad_particles_are_refused(
    tmp_path: Path, arrays: dict[str, object], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        read_particles(npz(tmp_path / "p.npz", **arrays), ALICE_ZN)


def test_em_particles_need_their_type(tmp_path: Path) -> None:
    path = npz(tmp_path / "p.npz", conditions=np.array([[10, 1.57, 0, 0, 0.0]]))
    with pytest.raises(DataError, match="column pdg"):
        read_particles(path, ATLAS_EM)


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_particles(tmp_path / "p.csv", ALICE_ZN)
    (tmp_path / "p.xyz").touch()
    with pytest.raises(DataError, match="cannot be read"):
        read_particles(tmp_path / "p.xyz", ALICE_ZN)
    (tmp_path / "p.h5").write_bytes(b"\xff\xfe no")
    with pytest.raises(DataError, match="cannot be read"):
        read_particles(tmp_path / "p.h5", ALICE_ZN)
    with pytest.raises(DataError, match="no column Energy"):
        read_particles(csv(tmp_path / "p.csv", "pdg", "22"), ALICE_ZN)


SPECTRA = [(name, spectrum) for name, facts in FACTS.items() for spectrum in facts.spectra]


@pytest.mark.parametrize(("name", "spectrum"), SPECTRA)
def test_spectra_are_physical_and_mostly_hit(name: str, spectrum: str) -> None:
    detector = DETECTORS[name]
    actual = draw(spectrum, detector, 400, seed=4)
    again = draw(spectrum, detector, 400, seed=4)
    assert actual.fingerprint == again.fingerprint != draw(spectrum, detector, 400, 5).fingerprint
    hits = arrivals(detector, geometry_of(detector), actual.conditions).hits
    assert hits.mean() > 0.6
    if "Px" in detector.columns:
        energy, *_, px, py, pz, mass, _ = actual.conditions.T
        assert energy**2 == pytest.approx(px**2 + py**2 + pz**2 + (mass / 1000) ** 2)


def test_spectators_have_beam_energy_and_fermi_motion() -> None:
    actual = draw("spectator-neutrons", ALICE_ZN, 4000, seed=1).conditions
    assert actual[:, 0].mean() == pytest.approx(1380 * 1.02, rel=0.02)
    assert actual[:, 0].std() == pytest.approx(170, rel=0.06)
    assert actual[:, 4].std() == pytest.approx(0.1185, rel=0.05)


def test_the_em_cone_is_even_in_solid_angle() -> None:
    _, theta, phi, x0, _ = draw("eplus", ATLAS_EM, 4000, seed=1).conditions.T
    away = np.degrees(np.arccos(np.sin(theta) * np.cos(phi)))
    assert away.max() <= 5.0
    assert np.mean(away < 5 / np.sqrt(2)) == pytest.approx(0.5, abs=0.03)
    assert np.abs(x0).max() <= 50 + 48 * np.tan(np.radians(5))


def test_unknown_spectra_are_listed() -> None:
    with pytest.raises(CaloforgeError, match="eplus, gamma, piplus"):
        draw("photons", ATLAS_EM, 1, 0)
