"""What we write for CaloGAN's and the CaloChallenge's own programs, read by plain h5py."""

import h5py
import numpy as np
import pytest

from caloforge.data.showers import Showers, read
from caloforge.detector import Condition
from caloforge.detectors import ATLAS_EM, ATLAS_EM_POLAR
from caloforge.detectors.files import find_detector
from caloforge.formats import ConversionRequest, convert
from caloforge.formats.writing import WRITERS, Order
from tests.formats.layered_raw import BINNING, calogan, challenge, deposits, flights
from tests.input_output.raw import write_raw

ELECTRON_GEV = 0.51099895e-3


@pytest.mark.parametrize("detector", [ATLAS_EM, ATLAS_EM_POLAR], ids=lambda d: d.name)
def test_a_calogan_file_comes_back(tmp_path, caloforge, detector):
    ours, theirs = tmp_path / "ours.h5", tmp_path / "theirs.h5"
    source = calogan(tmp_path / "a.h5", attributes={"engine": "Geant4"})
    convert(ConversionRequest((source,), detector=detector, pdg=-11, face_z_mm=-240.0), ours)
    code, _, err = caloforge("data", "export", ours, "--to", "calogan", "--out", theirs)
    assert (code, err) == (0, "")
    raw = deposits() | flights()
    with h5py.File(theirs) as file:
        for name in ("energy", "layer_0", "layer_1", "layer_2", "overflow", "x0", "y0", "z0", "t0"):
            assert file[name].shape == raw[name].shape
            np.testing.assert_allclose(file[name][:], raw[name], rtol=1e-6, atol=1e-9)
        total = np.hypot(np.hypot(file["px"], file["py"]), file["pz"])
        expected = np.sqrt((raw["energy"] + ELECTRON_GEV) ** 2 - ELECTRON_GEV**2)
        np.testing.assert_allclose(total, expected, rtol=1e-9)
        for name in ("px", "py"):  # as they fly: their sizes were other ones
            np.testing.assert_allclose(
                file[name][:] / file["pz"][:], raw[name] / raw["pz"], rtol=1e-9, atol=1e-12
            )
        assert file.attrs["face_z_mm"] == -240
        assert file.attrs["engine"] == "Geant4"
    again = tmp_path / "again.h5"
    convert(ConversionRequest((theirs,), detector=detector), again)
    first, second = read(ours), read(again)
    np.testing.assert_allclose(second.cells, first.cells, rtol=2e-7)
    np.testing.assert_allclose(second.conditions, first.conditions, rtol=1e-9, atol=1e-9)
    assert np.array_equal(second.pdg, first.pdg)


def test_their_frame_can_be_told(tmp_path, caloforge):
    ours, theirs = tmp_path / "ours.h5", tmp_path / "theirs.h5"
    source = calogan(tmp_path / "a.h5")
    convert(ConversionRequest((source,), pdg=-11, face_z_mm=-240.0), ours)
    frame = ("--face-z", 0, "--start-z", 0)
    assert caloforge("data", "export", ours, "--to", "calogan", "--out", theirs, *frame)[0] == 0
    with h5py.File(theirs) as file:
        np.testing.assert_allclose(file["x0"][:, 0], read(ours).conditions[:, 3])
        assert not file["z0"][:].any()


def test_momenta_need_a_particle(tmp_path, caloforge):
    ours, theirs = tmp_path / "ours.h5", tmp_path / "theirs.h5"
    convert(ConversionRequest((calogan(tmp_path / "a.h5"),), face_z_mm=-240.0), ours)
    arguments = ("data", "export", ours, "--to", "calogan", "--out", theirs)
    code, _, err = caloforge(*arguments)
    assert code == 2
    assert "--pdg" in err
    assert not theirs.exists()
    assert caloforge(*arguments, "--pdg", 22)[0] == 0
    with h5py.File(theirs) as file:
        total = np.hypot(np.hypot(file["px"], file["py"]), file["pz"])
        np.testing.assert_allclose(total, file["energy"], rtol=1e-12)
    code, _, err = caloforge(*arguments, "--pdg", 22)
    assert code == 2
    assert "--force" in err
    code, _, err = caloforge(*arguments, "--pdg", 123456, "--force")
    assert code == 3
    assert "no particle has the PDG number 123456" in err


def test_other_conditions_stand_in_the_order_of_the_detector():
    names = [f"condition_{number}" for number in range(8)]
    more = [Condition(name=name, unit="") for name in names]
    detector = ATLAS_EM.model_copy(update={"conditions": (ATLAS_EM.conditions[0], *more)})
    cells = np.zeros((2, detector.cells), np.float32)
    showers = Showers(detector, cells, np.ones((2, 9)), np.arange(2))
    written = [name for name, _ in WRITERS["calogan"](showers, Order("ours.h5", "calogan"))]
    assert written[-8:] == names


def test_a_challenge_file_comes_back(tmp_path, caloforge):
    binning, ours, theirs = (tmp_path / name for name in ("binning.xml", "ours.h5", "theirs.h5"))
    binning.write_text(BINNING)
    source = challenge(tmp_path / "a.h5")
    convert(ConversionRequest((source,), detector=find_detector(str(binning))), ours)
    code, _, err = caloforge("data", "export", ours, "--to", "calochallenge", "--out", theirs)
    assert (code, err) == (0, "")
    with h5py.File(source) as expected, h5py.File(theirs) as actual:
        assert set(actual) == {"incident_energies", "showers"}
        for name in expected:
            assert actual[name].shape == expected[name].shape
            np.testing.assert_allclose(actual[name][:], expected[name][:], rtol=2e-7)


def test_counts_are_no_energies(tmp_path, caloforge):
    path = write_raw(tmp_path / "counts.h5")
    out = tmp_path / "x.h5"
    code, _, err = caloforge("data", "export", path, "--to", "calochallenge", "--out", out)
    assert code == 2
    assert "toy_calorimeter counts" in err
    assert not out.exists()
