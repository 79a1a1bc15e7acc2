"""Both CaloGAN sets, read unchanged: units, frame, angles, and what is refused."""

import json
import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caloforge.data.flight import CONDITIONS, Flight, unit_direction
from caloforge.data.samples import SAMPLES, sample_path
from caloforge.data.showers import read
from caloforge.detectors import ATLAS_EM, ATLAS_EM_POLAR
from caloforge.errors import DataError, UsageError
from caloforge.formats import ConversionRequest, convert
from tests.formats.layered_raw import SHAPES, calogan, challenge, deposits, flights, write

SHARED = Path(__file__).parents[3] / "shared" / "data" / "em.h5"
SHARED_PART_2 = SHARED.with_name("em_2.h5")


def converted(sources, tmp_path, **options):
    out = tmp_path / "out.h5"
    convert(ConversionRequest(tuple(sources), **options), out, overwrite=True)
    return read(out)


def test_perpendicular_set(tmp_path):
    raw = deposits()
    showers = converted([calogan(tmp_path / "gamma.hdf5", centred=True)], tmp_path, pdg=22)
    assert showers.detector == ATLAS_EM
    for name, image in ATLAS_EM.split(showers.cells).items():
        np.testing.assert_allclose(image, raw[name] / 1000, rtol=1e-7)
    np.testing.assert_allclose(showers.overflow, raw["overflow"] / 1000, rtol=1e-7)
    straight = np.column_stack([raw["energy"], np.tile([math.pi / 2, 0, 0, 0], (7, 1))])
    assert np.array_equal(showers.conditions, straight)
    assert showers.particle.tolist() == list(range(7))
    assert showers.pdg.tolist() == [22] * 7
    assert showers.provenance["source"] == "gamma.hdf5"


def test_positions_are_carried_to_the_face_and_angles_are_the_authors(tmp_path):
    raw = deposits() | flights()
    showers = converted([calogan(tmp_path / "a.h5")], tmp_path, face_z_mm=-240.0)
    for row, conditions in enumerate(showers.conditions):
        px, py, pz, x0, y0 = (raw[name][row, 0] for name in ("px", "py", "pz", "x0", "y0"))
        theta = math.acos(py / math.sqrt(px * px + py * py + pz * pz))
        expected = [theta, math.atan(-px / pz), x0 + 48 * px / pz, y0 + 48 * py / pz]
        np.testing.assert_allclose(conditions, [raw["energy"][row, 0], *expected], rtol=1e-12)
    assert np.abs(showers.conditions[:, 3:] - np.hstack([raw["x0"], raw["y0"]])).max() > 1


def test_plain_angles_by_the_name_of_a_detector(tmp_path):
    raw = flights()
    path = calogan(tmp_path / "a.h5", attributes={"face_z_mm": -240})
    showers = converted([path], tmp_path, detector=ATLAS_EM_POLAR)
    px, py, pz = (raw[name][:, 0] for name in ("px", "py", "pz"))
    cosine = pz / np.sqrt(px**2 + py**2 + pz**2)
    np.testing.assert_allclose(np.cos(showers.conditions[:, 1]), cosine, rtol=1e-12)
    np.testing.assert_allclose(np.tan(showers.conditions[:, 2]), py / px, rtol=1e-9)
    assert (np.sign(np.cos(showers.conditions[:, 2])) == np.sign(px)).all()


@pytest.mark.parametrize("attribute", [None, -240.0])
def test_the_frame_is_told_never_guessed(tmp_path, attribute, caloforge):
    attributes = {} if attribute is None else {"face_z_mm": attribute}
    path = calogan(tmp_path / "a.h5", attributes=attributes)
    if attribute is None:
        code, _, err = caloforge("data", "convert", path, "--out", tmp_path / "o.h5")
        assert code == 3
        assert "--face-z -240" in err
        assert err.count("\n") == 1
        return
    with pytest.raises(DataError, match=r"says that face_z_mm is -240, --face-z says 0"):
        converted([path], tmp_path, face_z_mm=0.0)
    at_face = converted([path], tmp_path).conditions
    assert np.array_equal(at_face, converted([path], tmp_path, face_z_mm=-240.0).conditions)


def test_a_pdg_id_that_files_tell_is_not_told_again(tmp_path):
    paths = [calogan(tmp_path / "a.h5", centred=True), tmp_path / "b.h5"]
    write(paths[1], deposits(seed=1) | {"pdg": np.full(7, 211, "i4")})
    assert converted(paths, tmp_path, pdg=22).pdg.tolist() == [22] * 7 + [211] * 7
    with pytest.raises(UsageError, match=r"b\.h5 tells its PDG ids: leave --pdg out"):
        converted(paths[1:], tmp_path, pdg=22)


def test_a_face_means_nothing_for_the_challenge(tmp_path):
    path = challenge(tmp_path / "c.h5")
    with pytest.raises(UsageError, match="--face-z means nothing for HDF5 files of the CaloCh"):
        converted([path], tmp_path, face_z_mm=0.0)


def test_files_of_one_particle_by_a_pattern(tmp_path, caloforge):
    for number in range(3):
        arrays = deposits(seed=number) | {"pdg": np.full(7, 211, "i4"), "overflow": None}
        write(tmp_path / f"pi_{number}.h5", arrays)
    out = tmp_path / "all.h5"
    code, _, err = caloforge("data", "convert", tmp_path / "pi_*.h5", "--out", out)
    assert (code, err) == (0, "")
    showers = read(out)
    energies = np.concatenate([deposits(seed=number)["energy"] for number in range(3)])
    assert np.array_equal(showers.conditions[:, :1], energies)
    assert showers.particle.tolist() == list(range(21))
    assert showers.pdg.tolist() == [211] * 21
    assert showers.overflow is None


def test_longer_than_a_chunk(tmp_path):
    raw = deposits(rows=5000)
    small = {name: raw[name][:, :1, :2] for name in SHAPES}
    detector = small_detector(tmp_path)
    showers = converted(
        [write(tmp_path / "a.h5", raw | small | {"overflow": None})], tmp_path, detector=detector
    )
    assert np.array_equal(showers.conditions, raw["energy"])
    flat = np.concatenate([small[name].reshape(5000, -1) for name in SHAPES], axis=1)
    np.testing.assert_allclose(showers.cells, flat / 1000, rtol=1e-7)


def small_detector(tmp_path, **more):
    from caloforge.detectors.files import find_detector

    record = {
        "name": "small",
        "energy": "Energy",
        "layers": [{"name": n, "shape": [1, 2], "cell_mm": [1, 1]} for n in "abc"],
        "conditions": [{"name": "Energy", "unit": "GeV"}],
    } | more
    path = tmp_path / "small.json"
    path.write_text(json.dumps(record))
    return find_detector(str(path))


def test_a_condition_of_their_own_is_a_dataset_of_that_name(tmp_path):
    conditions = [{"name": "Energy", "unit": "GeV"}, {"name": "temperature", "unit": "K"}]
    detector = small_detector(tmp_path, conditions=conditions)
    images = {name: deposits()[name][:, :1, :2] for name in SHAPES}
    path = write(tmp_path / "a.h5", deposits() | images | {"temperature": np.arange(7.0)})
    assert converted([path], tmp_path, detector=detector).conditions[:, 1].tolist() == list(
        range(7)
    )
    with pytest.raises(DataError, match="nothing of small's condition temperature"):
        converted([write(path, deposits() | images)], tmp_path, detector=detector)


def spoil(name, place, value):
    array = (deposits() | flights())[name].copy()
    array[place] = value
    return {name: array}


BAD = {
    "no energy": ({"energy": None}, "not a known kind"),
    "no layer": ({"layer_1": None}, "/layer_1 is missing"),
    "shape": ({"layer_1": np.ones((7, 12, 11))}, r"/layer_1 is \(12, 11\), atlas_em/layer_1 \(12"),
    "a layer more": ({"layer_3": np.ones((7, 2, 2))}, "more layers than the 3 of atlas_em"),
    "rows": ({"layer_2": np.ones((6, 12, 6))}, "/layer_2 has 6 rows, there are 7"),
    "energies": ({"energy": np.ones((6, 1))}, "/energy has 6 rows"),
    "two energies": ({"energy": np.ones((7, 2))}, r"/energy is \(7, 2\)"),
    "half a flight": ({"py": None, "z0": None}, "has px, pz, x0, y0 but no py, z0"),
    "backwards": (spoil("pz", (4, 0), -3.0), "row 4: pz is -3"),
    "negative": (spoil("layer_1", (5, 3, 4), -2.5), r"layer_1 row 5: .*\(-2.5 MeV\).*--clip-neg"),
    "nan": (spoil("layer_0", (2, 0, 0), np.nan), "/layer_0 row 2: a deposit is NaN"),
    "infinite energy": (spoil("energy", 3, np.inf), "row 3: /energy is inf"),
    "no such energy": (spoil("energy", 3, -1), "row 3: /energy is -1"),
    "overflow": ({"overflow": np.ones((7, 2))}, "/overflow has 2 columns, there are 3"),
    "text": ({"energy": np.full((7, 1), b"x")}, "/energy has type"),
    "empty": ({n: np.ones((0, *s)) for n, s in SHAPES.items()}, "holds no showers"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_files_are_one_line(tmp_path, fault):
    changes, words = BAD[fault]
    path = calogan(tmp_path / "bad.h5", changes)
    with pytest.raises(DataError, match=words) as caught:
        converted([path], tmp_path, face_z_mm=-240.0)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "out.h5").exists()


def test_negative_deposits_are_clipped_and_counted_on_request(tmp_path, caloforge):
    image = deposits()["layer_1"]
    image[2, 0, 0], image[6, 1, 1] = -3.0, -0.5
    path = calogan(tmp_path / "a.h5", {"layer_1": image}, centred=True)
    out = tmp_path / "out.h5"
    code, _, err = caloforge("data", "convert", path, "--out", out, "--clip-negative")
    assert code == 0
    assert "clipped deposits: 2 negative deposits, -3.5 MeV, set to 0" in err
    showers = read(out)
    assert showers.provenance["clipped_deposits"].startswith("2 negative deposits, -3.5 MeV")
    np.testing.assert_allclose(
        ATLAS_EM.split(showers.cells)["layer_1"], np.maximum(image, 0) / 1000, rtol=1e-7
    )


@pytest.mark.parametrize(("factor", "message"), [(1e3, "0.0009"), (1e-3, "900")])
def test_mev_for_gev_is_a_warning_with_both_figures(tmp_path, caloforge, factor, message):
    energy = deposits()["energy"] * factor
    path = calogan(tmp_path / "a.h5", {"energy": energy}, centred=True)
    out = tmp_path / "out.h5"
    code, _, err = caloforge("data", "convert", path, "--out", out)
    assert code == 0
    incident, total = energy.mean(), 0.9 * energy.mean() / factor
    for figure in (f"{total:.4g} GeV on average", f"{incident:.4g} GeV", f"({message} of it)"):
        assert figure in err
    assert "MeV taken for GeV" in err
    code, out, err = caloforge("data", "info", out, "--json")
    assert any("MeV taken for GeV" in warning for warning in json.loads(out)["warnings"])


def test_derived_sets_tell_their_sampling_fraction(tmp_path):
    images = {name: deposits()[name] * 0.005 for name in SHAPES}
    path = calogan(tmp_path / "a.h5", images | {"overflow": None}, centred=True)
    showers = converted([path], tmp_path, sampling_fraction=0.005)
    assert showers.provenance["sampling_fraction"] == "0.005"
    with h5py.File(path, "r+") as file:
        file.attrs["sampling_fraction"] = 0.005
    assert converted([path], tmp_path).provenance["sampling_fraction"] == "0.005"
    with pytest.raises(DataError, match=r"says that sampling_fraction is 0\.005"):
        converted([path], tmp_path, sampling_fraction=0.2)


def test_files_that_disagree_are_not_mixed(tmp_path):
    sources = [
        calogan(
            tmp_path / f"{fraction}.h5", attributes={"sampling_fraction": fraction}, centred=True
        )
        for fraction in (1.0, 0.5)
    ]
    with pytest.raises(DataError, match=r"0.5.h5: sampling_fraction is 0.5, but 1.0 before"):
        converted(sources, tmp_path)


def test_what_does_not_apply_is_a_usage_error(tmp_path):
    from caloforge.detectors import ALICE_ZN

    path = calogan(tmp_path / "a.h5", centred=True)
    with pytest.raises(UsageError, match="for counts"):
        converted([path], tmp_path, values="log1p")
    with pytest.raises(UsageError, match="alice_zn counts"):
        converted([path], tmp_path, detector=ALICE_ZN)


def test_links_and_lying_sizes_are_refused(tmp_path):
    path = calogan(tmp_path / "a.h5", {"energy": None}, centred=True)
    calogan(tmp_path / "other.h5", centred=True)
    with h5py.File(path, "r+") as file:
        file["energy"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/energy")
    with pytest.raises(DataError, match="is a link"):
        converted([path], tmp_path)
    with h5py.File(path, "r+") as file:
        del file["energy"]
        file.create_dataset("energy", (7, 1), "f8")
        del file["layer_0"]
        file.create_dataset(
            "layer_0", (10**9, 3, 96), "f8", chunks=(100, 3, 96), compression="gzip"
        )
    with pytest.raises(DataError, match=r"claims \d+ bytes"):
        converted([path], tmp_path)


def test_truncated_files_are_one_line(tmp_path):
    path = calogan(tmp_path / "a.h5", centred=True)
    good = path.read_bytes()
    for part in (0.1, 0.5, 0.9, 0.999):
        path.write_bytes(good[: int(part * len(good))])
        with pytest.raises(DataError, match=r"damaged|not a known kind") as caught:
            converted([path], tmp_path)
        assert "\n" not in str(caught.value)


@given(
    polar=st.floats(0, 1.2),
    azimuth=st.floats(-math.pi, math.pi, exclude_min=True),
    momentum=st.floats(0.1, 1e3),
)
def test_angles_there_and_back(polar, azimuth, momentum):
    along = np.array(
        [math.sin(polar) * math.cos(azimuth), math.sin(polar) * math.sin(azimuth), math.cos(polar)]
    )
    one = np.ones(1)
    flight = Flight(one, *(momentum * along[:, None]), one, one)
    for names in (("theta", "phi"), ("polar", "azimuth")):
        attributes = {name: CONDITIONS[name](flight) for name in names}
        np.testing.assert_allclose(np.ravel(unit_direction(attributes)), along, atol=1e-7)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_file(), reason="no shared files beside the checkout")
@pytest.mark.parametrize(
    ("source", "kinds", "first_particle"),
    [(SHARED, [10_000, 3_000, 3_000], 0), (SHARED_PART_2, [16_800], 1_000_000)],
)
def test_the_samples_are_the_shared_file(tmp_path, source, kinds, first_particle):
    everything = converted([source], tmp_path, face_z_mm=0.0)
    assert np.unique(everything.pdg, return_counts=True)[1].tolist() == kinds
    second = source is SHARED_PART_2
    names = [name for name in SAMPLES if name.startswith("atlas_em")]
    for name in (name for name in names if name.endswith("/part-2") == second):
        sample = read(sample_path(name))
        rows = everything.rows(sample.particle - first_particle)
        # Processors with and without AVX-512 differ in the last bit of an angle.
        np.testing.assert_allclose(sample.conditions, rows.conditions, rtol=1e-12, atol=1e-12)
        assert np.array_equal(sample.pdg, rows.pdg)
        assert ((sample.cells > 0) == (rows.cells > 0)).all()
        np.testing.assert_allclose(sample.cells, rows.cells, rtol=2**-11)
        np.testing.assert_allclose(sample.overflow, rows.overflow, rtol=2**-11)
