"""Branch ZDCResponseImage as ROOT itself writes it; see root/make_root.py."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from caloforge.data.showers import read
from extras import needs

FIXTURES = Path(__file__).with_name("root")
SHAPES = {"alice_zn": (44, 44), "alice_zp": (56, 30)}
# Five particles in three events, rows 0 and 3 repeats of one.
KIND = np.array([0, 1, 2, 0, 3])
TOGETHER = [0, 3, 1, 2, 4]
PDG = np.array([2212, 2112, 1000020040, 22])
MASS = np.array([0.938272, 0.939565, 3.727379, 0.0])


def images(shape):
    x, y, row = np.meshgrid(*map(np.arange, shape), np.arange(5), indexing="ij")
    lit = (5 * x + 3 * y + row) % 23 == 0
    return np.where(lit, 1 + x + 100 * y + row, 0).transpose(2, 0, 1)


def conditions():
    px, py, pz = 0.1 * (KIND + 1), np.full(5, -0.2), 1000 + 100.0 * KIND
    mass = MASS[KIND]
    energy = np.sqrt(px**2 + py**2 + pz**2 + mass**2)
    place = (0.001 * KIND, np.full(5, 0.002), np.full(5, -0.003))
    charge = np.array([1, 0, 2, 0])[KIND]
    return np.column_stack([energy, *place, px, py, pz, 1000 * mass, charge])


@pytest.mark.parametrize("split", [99, 0])
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_what_root_wrote_is_what_is_read(tmp_path, caloforge, split, name):
    needs("uproot")
    source, out = FIXTURES / f"o2sim-split{split}.root", tmp_path / "out.h5"
    code, _, err = caloforge("data", "convert", source, "--detector", name, "--out", out)
    assert code == 0, err
    showers = read(out)
    expected = images(SHAPES[name])[TOGETHER]
    assert expected.max() > 2000
    assert np.array_equal(showers.cells.reshape(-1, *SHAPES[name]), expected)
    np.testing.assert_allclose(showers.conditions, conditions()[TOGETHER], rtol=1e-12, atol=1e-15)
    assert showers.pdg.tolist() == PDG[KIND][TOGETHER].tolist()
    assert showers.particle.tolist() == [0, 0, 1, 2, 3]


def refused(caloforge, source, tmp_path, *words):
    needs("uproot")
    arguments = ("--detector", "alice_zp", "--out", tmp_path / "out.h5", "-q")
    code, _, err = caloforge("data", "convert", source, *arguments)
    assert code == 3
    assert len(err.splitlines()) == 1
    for word in (str(source), *words):
        assert word in err, err


def test_its_particles_are_told_by_the_file(tmp_path, caloforge):
    source = FIXTURES / "o2sim-split99.root"
    for option, value in (("--pdg", ["2212"]), ("--face-z", ["0"]), ("--clip-negative", [])):
        code, _, err = caloforge(
            "data", "convert", source, "--detector", "alice_zp", "--out", tmp_path / "x.h5", "-q",
            option, *value,
        )  # fmt: skip
        assert code == 2
        assert f"{option} means nothing for ROOT files of AliceO2" in err


def test_images_inside_objects_of_a_split_vector_are_refused(tmp_path, caloforge):
    source = FIXTURES / "o2sim-split1.root"
    refused(caloforge, source, tmp_path, "ZDCResponseImage.second", "default split level, 99")


def test_images_of_another_type_are_not_read_as_whole_numbers(tmp_path, caloforge, monkeypatch):
    uproot = needs("uproot")
    source = shutil.copy(FIXTURES / "o2sim-split99.root", tmp_path / "o2sim.root")
    typename = uproot.streamers.Model_TStreamerSTL.typename
    floats = property(lambda self: typename.fget(self).replace("int", "float"))
    monkeypatch.setattr(uproot.streamers.Model_TStreamerSTL, "typename", floats)
    refused(caloforge, source, tmp_path, "mImageData", "vector<vector<float>>")
