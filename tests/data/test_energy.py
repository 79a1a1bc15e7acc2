"""Books of energy: by layer, beside cells, against the particle's own."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from caloforge.data.energy import EnergySums, energies
from caloforge.data.showers import ShowerFile, read, write
from caloforge.detectors import ATLAS_EM
from caloforge.errors import DataError
from caloforge.formats import ConversionRequest, convert
from tests.formats.layered_raw import calogan, deposits
from tests.input_output.raw import TOY
from tests.input_output.test_showers_file import in_memory


@pytest.fixture
def showers(tmp_path):
    path = tmp_path / "a.h5"
    convert(ConversionRequest((calogan(tmp_path / "raw.h5", centred=True),)), path)
    return read(path)


def test_each_shower_by_loops(showers):
    actual = energies(showers)
    raw = deposits()
    for row in range(7):
        layers = [raw[f"layer_{n}"][row].sum() / 1000 for n in range(3)]
        beside = raw["overflow"][row] / 1000
        np.testing.assert_allclose(actual.layers[row], layers, rtol=1e-6)
        np.testing.assert_allclose(actual.overflow[row], beside, rtol=1e-6)
        assert actual.total[row] == pytest.approx(sum(layers))
        assert actual.incident[row] == raw["energy"][row, 0]
        assert actual.balance[row] == pytest.approx(0.95, rel=1e-6)


def test_books_of_chunks_are_books_of_the_whole(showers):
    sums = EnergySums(ATLAS_EM)
    for start in (0, 3):
        sums.add(showers.rows(slice(start, 3 if start == 0 else 7)))
    balance, actual = sums.balance(), energies(showers)
    assert balance.incident == pytest.approx(actual.incident.mean())
    assert list(balance.layers.values()) == pytest.approx(actual.layers.mean(axis=0).tolist())
    assert list(balance.overflow.values()) == pytest.approx(actual.overflow.mean(axis=0).tolist())
    assert balance.deposit_over_incident == pytest.approx(0.9, rel=1e-6)
    assert balance.balance == pytest.approx(0.95, rel=1e-6)
    assert balance.warnings() == []


def test_overflow_that_nobody_counted_is_unknown_not_zero(showers):
    sums = EnergySums(ATLAS_EM)
    sums.add(replace(showers, overflow=None))
    assert sums.balance().overflow is None
    assert "unknown" in "\n".join(sums.balance().lines())
    assert energies(replace(showers, overflow=None)).balance == pytest.approx(0.9, rel=1e-6)


def test_sampling_fraction_of_file_and_of_detector(showers):
    low = replace(showers, cells=showers.cells * np.float32(0.005), overflow=None)
    assert book_of(low).warnings()
    low_with_fraction = replace(low, provenance={"sampling_fraction": "0.005"})
    assert book_of(low_with_fraction).warnings() == []
    assert energies(low_with_fraction).balance == pytest.approx(0.9, rel=1e-5)
    detector = type(ATLAS_EM).model_validate(ATLAS_EM.model_dump() | {"sampling_fraction": 0.005})
    assert energies(replace(low, detector=detector)).balance == pytest.approx(0.9, rel=1e-5)
    for wrong in ("none", "0", "-1", "nan", "inf"):
        with pytest.raises(DataError, match="sampling_fraction is"):
            energies(replace(low, provenance={"sampling_fraction": wrong}))


def book_of(showers):
    sums = EnergySums(showers.detector)
    sums.add(showers)
    return sums.balance()


def test_counts_have_no_books():
    with pytest.raises(DataError, match="toy_calorimeter hold photons"):
        energies(in_memory())
    assert TOY.energy is None


def test_info_shows_the_books(tmp_path, showers, caloforge):
    write(tmp_path / "b.h5", showers)
    code, out, _ = caloforge("data", "info", tmp_path / "b.h5", "--json")
    balance = json.loads(out)["energy"]
    assert code == 0
    assert balance["balance"] == pytest.approx(0.95, rel=1e-6)
    assert set(balance["layers"]) == set(balance["overflow"]) == {"layer_0", "layer_1", "layer_2"}
    assert "all layers" in caloforge("data", "info", tmp_path / "b.h5")[1]


def test_overflow_is_a_column_of_the_file(tmp_path, showers):
    write(tmp_path / "b.h5", showers)
    assert np.array_equal(read(tmp_path / "b.h5").overflow, showers.overflow)
    with ShowerFile(tmp_path / "b.h5") as file:
        assert np.array_equal(file.rows(2, 5).overflow, showers.overflow[2:5])
    negative = showers.overflow.copy()
    negative[3, 1] = -1
    with pytest.raises(DataError, match="row 3: overflow is negative"):
        write(tmp_path / "c.h5", replace(showers, overflow=negative))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((7, 3), -1, "f4"), "row 0: overflow is negative"),
        (np.full((7, 3), np.nan, "f4"), "row 0: overflow is negative or not"),
        (np.zeros((7, 2), "f4"), "/overflow has 2 columns, atlas_em has 3 layers"),
        (np.zeros((6, 3), "f4"), "/overflow has 6 rows"),
        (np.zeros(7, "f4"), "1 axes, not 2"),
    ],
)
def test_a_wrong_overflow_is_refused(tmp_path, showers, values, words):
    path = tmp_path / "b.h5"
    write(path, showers)
    with h5py.File(path, "r+") as file:
        del file["overflow"]
        file["overflow"] = values
    with pytest.raises(DataError, match=words):
        read(path)
