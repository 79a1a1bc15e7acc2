"""Files of the CaloChallenge: the order of voxels, the geometry from a binning.xml."""

import numpy as np
import pytest

from caloforge.data.showers import read
from caloforge.detectors.files import find_detector
from caloforge.errors import DataError, UsageError
from caloforge.formats import ConversionRequest, convert
from tests.formats.layered_raw import BINNING, VOXELS, challenge, write


@pytest.fixture
def binning(tmp_path):
    path = tmp_path / "binning_dataset_1.xml"
    path.write_text(BINNING)
    return path


def converted(path, binning, tmp_path):
    out = tmp_path / "out.h5"
    convert(ConversionRequest((path,), detector=find_detector(str(binning))), out, overwrite=True)
    return read(out)


def test_voxels_r_fastest_then_alpha_then_layer(tmp_path, binning):
    showers = converted(challenge(tmp_path / "dataset_1.hdf5"), binning, tmp_path)
    images = showers.detector.split(showers.cells)
    assert {name: image.shape for name, image in images.items()} == {
        "layer_0": (5, 1, 3),
        "layer_1": (5, 4, 2),
        "layer_12": (5, 2, 1),
    }
    voxel = 0
    for image in images.values():  # the loops of the challenge, layer by layer
        for alpha in range(image.shape[1]):
            for r in range(image.shape[2]):
                for row in range(5):
                    assert image[row, alpha, r] == np.float32((1000 * (row + 1) + voxel) / 1000)
                voxel += 1
    assert voxel == VOXELS
    incident = [1.25 * sum(1000 * (row + 1) + v for v in range(VOXELS)) / 1000 for row in range(5)]
    np.testing.assert_allclose(showers.conditions[:, 0], incident)
    assert showers.detector.columns == ("E",)


def test_sets_two_and_three_are_a_reshape(tmp_path):
    layers = "".join(
        f'<Layer id="{z}" r_edges="0,4.65,9.3,13.95" n_bin_alpha="2"/>' for z in range(4)
    )
    binning = tmp_path / "binning.xml"
    binning.write_text(f'<Bins><Bin pid="11" name="electron">{layers}</Bin></Bins>')
    rng = np.random.default_rng(0)
    cube = rng.exponential(size=(6, 4, 2, 3)) * 1000
    arrays = {"incident_energies": np.full((6, 1), 24e3), "showers": cube.reshape(6, -1)}
    showers = converted(write(tmp_path / "d.hdf5", arrays), binning, tmp_path)
    for z, image in enumerate(showers.detector.split(showers.cells).values()):
        np.testing.assert_allclose(image, cube[:, z] / 1000, rtol=1e-6)


def test_places_of_voxels(binning):
    layer = find_detector(str(binning)).layers[1]
    x, y = layer.places_mm()
    for alpha in range(4):
        centre = -np.pi + (alpha + 0.5) * np.pi / 2
        for r, radius in enumerate((1.0, 3.0)):
            assert x[alpha, r] == pytest.approx(radius * np.cos(centre))
            assert y[alpha, r] == pytest.approx(radius * np.sin(centre))
    whole_rings = find_detector(str(binning)).layers[0]
    assert not np.any(whole_rings.places_mm())
    assert (layer.axes, layer.extent) == (("sector", "ring"), (0, 4, 0, 2))


BAD = {
    "voxels": ({"showers": np.ones((5, 12))}, "/showers has 12 voxels, binning_dataset_1 13"),
    "rows": ({"incident_energies": np.ones((4, 1))}, "/incident_energies has 4 rows"),
    "axes": ({"showers": np.ones((5, 13, 1))}, "3 axes, not 2"),
    "zero energy": ({"incident_energies": np.zeros((5, 1))}, "row 0: /incident_energies is 0"),
    "negative": ({"showers": np.full((5, 13), -1.0)}, r"/showers row 0: a deposit is negative"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_files_are_one_line(tmp_path, binning, fault):
    changes, words = BAD[fault]
    with pytest.raises(DataError, match=words) as caught:
        converted(challenge(tmp_path / "bad.h5", changes), binning, tmp_path)
    assert "\n" not in str(caught.value)


def test_without_a_geometry_the_option_is_named(tmp_path):
    path = challenge(tmp_path / "a.h5")
    with pytest.raises(UsageError, match=r"--detector binning.xml"):
        convert(ConversionRequest((path,)), tmp_path / "out.h5")


def test_on_the_command_line(tmp_path, binning, caloforge):
    path, out = challenge(tmp_path / "a.h5"), tmp_path / "out.h5"
    code, _, err = caloforge("data", "convert", path, "--detector", binning, "--out", out)
    assert (code, err) == (0, "")
    code, output, _ = caloforge("data", "info", out)
    assert code == 0
    assert "binning_dataset_1, energy in GeV" in output
    assert "0.8000" in output  # deposits of 1 / 1.25


def test_what_the_layout_has_no_place_for_is_named(tmp_path, caloforge):
    some, out = tmp_path / "some.h5", tmp_path / "theirs.h5"
    assert caloforge("data", "select", "atlas_em", "--where", "E<3", "--out", some)[0] == 0
    code, _, err = caloforge("data", "export", some, "--to", "calochallenge", "--out", out)
    assert code == 0
    assert err.splitlines() == [
        "warning: calochallenge files hold incident energies and voxels; left out: theta, phi, "
        "x0, y0, overflow",
        "warning: layer_0, layer_1, layer_2 of atlas_em have cells in x and y, not in rings: no "
        "binning.xml describes this file",
    ]
    code, _, err = caloforge("data", "export", some, "--to", "calogan", "--out", out, "--force")
    assert (code, err) == (0, "")


def test_rings_and_an_energy_alone_lose_nothing(tmp_path, binning, caloforge):
    ours, out = tmp_path / "ours.h5", tmp_path / "theirs.h5"
    convert(
        ConversionRequest((challenge(tmp_path / "a.h5"),), detector=find_detector(str(binning))),
        ours,
    )
    code, _, err = caloforge("data", "export", ours, "--to", "calochallenge", "--out", out, "-q")
    assert (code, err) == (0, "")
