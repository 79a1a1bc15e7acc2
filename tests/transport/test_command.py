"""Bad command lines cost one line; nothing is written, nothing hangs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from caloforge.detectors import ATLAS_EM
from caloforge.transport.geometry import geometry_of

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("alice_zx", "--spectrum", "photons", "-n", 1), 2, "no detector alice_zx"),
        (("alice_zn", "--spectrum", "eplus", "-n", 1), 2, "photons, spectator-neutrons"),
        (("alice_zn", "--spectrum", "photons"), 2, "needs -n"),
        (("alice_zn", "-n", 1), 2, "either --particles FILE or --spectrum"),
        (("alice_zn", "--particles", "/no/such.h5"), 3, "no such file"),
        (("alice_zn", "--spectrum", "photons", "-n", 1, "--geometry", "/no.json"), 3, "/no.json"),
        (("alice_zn", "--spectrum", "photons", "-n", 0), 2, "-n"),
    ],
)
def test_bad_input(
    tmp_path: Path, caloforge: Run, arguments: tuple[object, ...], code: int, complaint: str
) -> None:
    outcome = caloforge("transport", *arguments, "--out", tmp_path / "out.h5")
    assert outcome[0] == code
    assert complaint in outcome[2]
    assert outcome[2].startswith("caloforge: ")
    assert outcome[2].count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_ending_that_cannot_be_is_refused_before_the_work(
    tmp_path: Path, caloforge: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caloforge.transport.run.require_engine", lambda: None)
    arguments = ("transport", "atlas_em", "--spectrum", "eplus", "-n", 1, "-q")
    code, _, err = caloforge(*arguments, "--out", tmp_path / "out.npz")
    assert (code, err.count("\n")) == (2, 1)
    assert "written as .h5, not .npz" in err
    assert not list(tmp_path.iterdir())


def test_no_wheel_is_explained(
    tmp_path: Path, caloforge: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caloforge.transport.run.find_spec", lambda name: None)
    code, _, err = caloforge(
        "transport", "atlas_em", "--spectrum", "eplus", "-n", 1, "--out", tmp_path / "out.h5"
    )
    assert code == 1
    assert re.search(r"pip install .*\[geant4\]'", err)
    assert "aarch64" in err


def test_a_bad_geometry_names_its_field(tmp_path: Path, caloforge: Run) -> None:
    path = tmp_path / "geometry.json"
    path.write_text('{"kind": "plates", "units": "many"}')
    code, _, err = caloforge(
        "transport", "atlas_em", "--spectrum", "eplus", "-n", 1, "--geometry", path,
        "--out", tmp_path / "out.h5",
    )  # fmt: skip
    assert code == 3
    assert "not a geometry" in err


def test_plates_that_end_too_early_are_refused(tmp_path: Path, caloforge: Run) -> None:
    geometry = geometry_of(ATLAS_EM).model_copy(update={"units": 40})
    path = tmp_path / "geometry.json"
    path.write_text(geometry.model_dump_json())
    arguments = ("transport", "atlas_em", "--spectrum", "eplus", "-n", 1, "--geometry", path)
    code, _, err = caloforge(*arguments, "--out", tmp_path / "out.h5")
    assert (code, err.count("\n")) == (3, 1)
    assert "40 units of 6 mm are 240 mm deep, the layers of atlas_em 480 mm" in err


@pytest.mark.parametrize(
    ("field", "value"), [("absorber_mm", -2.0), ("active_mm", "NaN"), ("units", 0), ("cut_mm", 0)]
)
def test_lengths_that_cannot_be_are_refused(
    tmp_path: Path, caloforge: Run, field: str, value: object
) -> None:
    geometry = geometry_of(ATLAS_EM).model_dump_json()
    path = tmp_path / "geometry.json"
    path.write_text(re.sub(rf'"{field}":[^,}}]+', f'"{field}":{value}', geometry))
    arguments = ("transport", "atlas_em", "--spectrum", "eplus", "-n", 1, "--geometry", path)
    code, _, err = caloforge(*arguments, "--out", tmp_path / "out.h5")
    assert (code, err.count("\n")) == (3, 1)
    assert ("NaN is no number" if value == "NaN" else "not a geometry") in err


def test_a_missing_data_set_is_named_by_its_own_variable(
    tmp_path: Path, caloforge: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caloforge.transport.run.require_engine", lambda: None)
    arguments = ("transport", "alice_zn", "--spectrum", "photons", "-n", 1)
    monkeypatch.setenv("G4LEDATA", "/nonexistent")
    code, _, err = caloforge(*arguments, "--out", tmp_path / "out.h5")
    assert (code, err) == (3, "caloforge: G4LEDATA: /nonexistent is not a folder\n")
    monkeypatch.setenv("G4LEDATA", str(tmp_path))
    code, _, err = caloforge(*arguments, "--out", tmp_path / "out.h5")
    assert code == 3
    assert "G4LEVELGAMMADATA is not set" in err
    assert "GEANT4_DATA_DIR" not in err
