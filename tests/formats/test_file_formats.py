"""Conversion of foreign files, made here as their authors make them."""

import io
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from caloforge.data.showers import read
from caloforge.detectors import ALICE_ZN
from caloforge.errors import DataError, UsageError
from caloforge.formats import FORMATS, ConversionRequest, convert, format_of
from caloforge.formats.file_format import OPTIONS
from caloforge.formats.transport_jobs import JOBS
from tests.formats import zdc_raw
from tests.formats.zdc_raw import OWNER, PDG, TOGETHER

SHARED = Path(__file__).parents[3] / "shared" / "data"


def particles(dtype="f8"):
    """-0.0 and 0.0 are one condition."""
    conditions = zdc_raw.particles(dtype=dtype)
    conditions[2, 8] = -0.0
    return conditions


def images(shape=(44, 44)):
    rng = np.random.default_rng(2)
    counts = rng.poisson(0.2, (6, *shape))
    counts[1, 3, 4] = 571
    return counts


def pair(folder, responses, conditions, key="arr_0", save=np.savez):
    folder.mkdir(exist_ok=True)
    save(folder / "data_nonrandom_responses.npz", **{key: responses})
    save(folder / "data_nonrandom_particles.npz", **{key: conditions})
    return (folder / "data_nonrandom_responses.npz", folder / "data_nonrandom_particles.npz")


def converted(sources, tmp_path, **options):
    out = tmp_path / "out.h5"
    convert(ConversionRequest(tuple(sources), **options), out)
    return read(out)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u2"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_raw_counts_are_brought_together_by_particle(tmp_path, dtype, save):
    sources = pair(tmp_path, images().astype(dtype), particles(), save=save)
    showers = converted(sources, tmp_path)
    assert showers.detector == ALICE_ZN
    assert np.array_equal(showers.cells.reshape(-1, 44, 44), images()[TOGETHER])
    assert np.array_equal(showers.conditions, particles()[TOGETHER])
    assert showers.particle.tolist() == [0, 0, 0, 1, 1, 2]
    assert showers.pdg is None
    assert "data_nonrandom_responses.npz" in showers.provenance["source"]


def test_logarithms_are_noticed_and_pdg_ids_split_off(tmp_path):
    sources = pair(tmp_path, np.log1p(images()).astype("f4"), np.column_stack([particles(), PDG]))
    showers = converted(reversed(sources), tmp_path)  # in whatever order they are named
    assert np.array_equal(showers.cells.reshape(-1, 44, 44), images()[TOGETHER])
    assert showers.pdg.tolist() == PDG[TOGETHER].tolist()
    assert np.array_equal(showers.conditions, particles()[TOGETHER])


@pytest.mark.parametrize(("behind", "place"), [(1, 0), (2, 0), (4, 2)])
def test_pdg_ids_among_the_columns_behind_the_conditions(tmp_path, behind, place):
    more = np.full((6, behind), 0.25)
    more[:, place] = PDG
    sources = pair(tmp_path, images(), np.column_stack([particles(), more]))
    showers = converted(sources, tmp_path)
    assert showers.pdg.tolist() == PDG[TOGETHER].tolist()
    assert np.array_equal(showers.conditions, particles()[TOGETHER])


def test_small_whole_numbers_are_counts(tmp_path):
    few = np.minimum(images(), 2)
    showers = converted(pair(tmp_path, few.astype("f8"), particles()), tmp_path)
    assert np.array_equal(showers.cells.reshape(-1, 44, 44), few[TOGETHER])


def test_how_cells_are_written_can_be_said(tmp_path):
    sources = pair(tmp_path, np.log1p(images()), particles())
    with pytest.raises(DataError, match=r"responses.npz: row \d: cell \d+ .* no count"):
        converted(sources, tmp_path, values="raw")
    assert converted(sources, tmp_path, values="log1p").cells.max() == 571


def test_one_of_the_pair_finds_the_other_and_the_proton_shape_is_known(tmp_path):
    sources = pair(tmp_path, images((56, 30))[..., None].astype("f4"), particles())
    showers = converted(sources[:1], tmp_path)
    assert showers.detector.name == "alice_zp"
    assert np.array_equal(showers.cells.reshape(-1, 56, 30), images((56, 30))[TOGETHER])


def test_npy_files(tmp_path):
    np.save(tmp_path / "r.npy", images())
    np.save(tmp_path / "p.npy", particles("f4"))
    showers = converted([tmp_path / "p.npy", tmp_path / "r.npy"], tmp_path)
    assert np.array_equal(showers.conditions, particles("f4")[TOGETHER].astype("f8"))


def spoil(place, value):
    array = images().astype("f8")
    array[place] = value
    return array


def log_without_1():
    with np.errstate(divide="ignore"):
        return np.log(images())


BAD_PAIRS = {
    "rows": (images(), particles()[:5], "6 rows.*5"),
    "no rows": (images()[:0], particles()[:0], "hold no showers"),
    "float16": (np.log1p(images()).astype("f2"), particles(), "float16 is too coarse for log"),
    "np.log": (log_without_1(), particles(), "stored as -inf: written by np.log, not np.log1p"),
    "columns": (images(), particles()[:, :8], r"shape \(6, 8\), not .* of 9, 10, 11, 13 columns"),
    "shape": (images((44, 43)), particles(), r"shape \(44, 43\) fit no detector"),
    "nan": (images(), np.full((6, 9), np.nan), "particles.npz: row 0: condition Energy"),
    "nan pixel": (spoil((4, 0, 1), np.nan), particles(), "row 4: cell 1 holds nan"),
    "negative": (spoil((4, 0, 1), -2), particles(), "row 4: cell 1 holds -2"),
    "too large": (spoil((4, 0, 1), 1e6), particles(), "row 4: cell 1 holds 1e"),
    "half": (spoil((4, 0, 1), 30.5), particles(), "row 4: cell 1 holds 30.5"),
    "pdg": (
        images(),
        np.column_stack([particles(), np.full(6, 0.5)]),
        "column 10 .* is 0.5, not a whole",
    ),
    "objects": (images(), np.array([[None] * 9] * 6), "Python objects"),
    "complex": (images() * 1j, particles(), "complex128"),
    "two images": (images(), images(), "one array of images and one of particles"),
    "scalar": (np.float64(3), particles(), "not rows of numbers"),
}


@pytest.mark.parametrize("fault", BAD_PAIRS)
def test_bad_pairs_are_one_line(tmp_path, fault):
    responses, conditions, words = BAD_PAIRS[fault]
    sources = pair(tmp_path, responses, conditions)
    with pytest.raises(DataError, match=words) as caught:
        converted(sources, tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / "out.h5").exists()


def faulty(fault):
    """The particles of a table, spoilt as tables are in practice."""
    table = np.repeat(particles(), 40, axis=0)
    if fault == "reversed":
        return table[:, ::-1]
    if fault == "scaled":
        return (table - table.mean(axis=0)) / table.std(axis=0)
    if fault == "PDG id first":
        return np.column_stack([np.repeat(PDG, 40), table])
    if fault == "photons, PDG id first":
        return np.column_stack([np.full(240, 22), np.repeat(particles()[[0]], 240, axis=0)])
    factors = {"momenta in MeV": (slice(4, 7), 1000), "mass in GeV": (7, 1e-3)}
    columns, factor = factors[fault]
    table[:, columns] *= factor
    return table


FAULTY = {
    "reversed": "no particle has a charge of",
    "scaled": "row 0: no particle has a mass of -",
    "PDG id first": r"row \d+: no particle has a mass of",
    "photons, PDG id first": "row 0: ",
    "momenta in MeV": r"row 0: Energy is \S+ GeV, mass and momentum make",
    "mass in GeV": "row 40: no particle has a mass of 0.13957 MeV",
}


@pytest.mark.parametrize("fault", FAULTY)
def test_columns_that_are_no_particles_are_refused(tmp_path, fault):
    table = faulty(fault)
    sources = pair(tmp_path, np.repeat(images(), 40, axis=0), table)
    with pytest.raises(DataError, match=FAULTY[fault]) as caught:
        converted(sources, tmp_path)
    assert str(caught.value).startswith(str(sources[1]))
    assert "of 240 rows; are columns reversed, shifted or scaled?" in str(caught.value)
    assert "Energy (GeV)" in str(caught.value)
    assert "mass (MeV)" in str(caught.value)
    assert not (tmp_path / "out.h5").exists()


def test_rounded_particles_and_a_few_odd_rows_pass(tmp_path):
    table = np.repeat(particles(), 40, axis=0)
    table = np.array([[float(f"{number:.3g}") for number in row] for row in table])
    table[[3, 100], 0] = -5.0  # two of 240
    sources = pair(tmp_path, np.repeat(images(), 40, axis=0), table)
    assert len(converted(sources, tmp_path)) == 240
    table[200, 0] = -5.0
    pair(tmp_path, np.repeat(images(), 40, axis=0), table)
    with pytest.raises(DataError, match=r"row 3: Energy is -5 GeV.* in 3 of 240 rows"):
        converted(sources, tmp_path)


def test_a_pdg_id_of_all_rows_can_be_told(tmp_path, caloforge):
    sources = pair(tmp_path, images(), particles())
    assert converted(sources, tmp_path, pdg=2212).pdg.tolist() == [2212] * 6
    pair(tmp_path, images(), np.column_stack([particles(), PDG]))
    with pytest.raises(UsageError, match=r"particles\.npz: tells its PDG ids: leave --pdg out"):
        converted(sources, tmp_path, pdg=22)
    arguments = ("data", "convert", *sources, "--out", tmp_path / "x.h5", "--pdg")
    code, _, err = caloforge(*arguments, 2**31)
    assert code == 2
    assert "--pdg" in err


UNUSED = {"face_z_mm": 0.0, "sampling_fraction": 0.2, "clip_negative": True}


@pytest.mark.parametrize("name", UNUSED)
def test_options_that_mean_nothing_here_are_refused_by_name(tmp_path, name):
    option = OPTIONS[name]
    sources = pair(tmp_path, images(), particles())
    with pytest.raises(UsageError, match=f"{option} means nothing for data_nonrandom_responses"):
        converted(sources, tmp_path, **{name: UNUSED[name]})
    path = transport(tmp_path / "t.h5")
    with pytest.raises(UsageError, match=f"{option} means nothing for HDF5 files of the ZDC"):
        converted([path], tmp_path, **{name: UNUSED[name]})
    with pytest.raises(UsageError, match="--pdg means nothing for HDF5 files of the ZDC"):
        converted([path], tmp_path, pdg=2112)
    assert not (tmp_path / "out.h5").exists()


def lying_header(shape):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        content, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return content.getvalue() + bytes(800)


def test_sizes_are_checked_before_memory_is_asked_for(tmp_path):
    responses, conditions = pair(tmp_path, images(), particles())
    with zipfile.ZipFile(responses, "w") as archive:
        archive.writestr("arr_0.npy", lying_header((10**12, 44, 44)))
    with pytest.raises(DataError, match=r"claims \d+ bytes of values, holds 800"):
        converted((responses, conditions), tmp_path)
    with zipfile.ZipFile(responses, "w") as archive:
        archive.writestr("arr_0.npy", b"\x93NUMPY\x01\x00")
    with pytest.raises(DataError, match="truncated or damaged"):
        converted((responses, conditions), tmp_path)


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/caloforge-was-trapped"),))


def test_pickles_are_never_loaded(tmp_path):
    responses, conditions = pair(tmp_path, images(), particles())
    np.savez(responses, arr_0=np.array([Trap()], dtype=object))
    with pytest.raises(DataError, match="never loaded"):
        converted((responses, conditions), tmp_path)
    responses.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match="not a known kind"):  # one pickle of the two
        converted((responses, conditions), tmp_path)
    assert not Path("/tmp/caloforge-was-trapped").exists()


def test_damaged_archives(tmp_path):
    responses, conditions = pair(tmp_path, images(), particles(), save=np.savez_compressed)
    good = responses.read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(good), 12).tolist():
        responses.write_bytes(good[:cut])
        with pytest.raises(DataError, match=r"damaged|not a known kind"):
            converted((responses, conditions), tmp_path)
    for place in rng.integers(0, len(good), 40).tolist():
        flipped = bytearray(good)
        flipped[place] ^= 0x55
        responses.write_bytes(flipped)
        try:
            showers = converted((responses, conditions), tmp_path)
        except DataError:
            continue
        assert np.array_equal(showers.cells.reshape(-1, 44, 44), images()[TOGETHER])
        (tmp_path / "out.h5").unlink()


def test_other_keys_and_missing_files(tmp_path):
    sources = pair(tmp_path, images(), particles(), key="x")
    assert len(converted(sources, tmp_path)) == 6  # the only array, whatever its name
    np.savez(sources[0], x=images(), y=particles())
    with pytest.raises(DataError, match="no array arr_0; it has x, y"):
        converted(sources, tmp_path)
    with pytest.raises(DataError, match="no such file"):
        converted((tmp_path / "none.npz",), tmp_path)
    lonely = tmp_path / "lonely.npz"
    np.savez(lonely, images())
    with pytest.raises(UsageError, match="name the file of its particles"):
        converted((lonely,), tmp_path)


def transport(path, **changes):
    """A file as the transport jobs write it; particle numbers have gaps and may be apart."""
    arrays = {
        "showers": images().astype("u2"),
        "conditions": particles(),
        "particle": (10 * OWNER + 3).astype("i4"),
        "pdg": np.full(6, 2112, "i4"),
        "cpu_seconds": np.arange(6, dtype="f4"),
        "deposit_gev": np.ones(6, "f4"),
    } | {name: value for name, value in changes.items() if name != "detector"}
    with h5py.File(path, "w") as file:
        file.attrs["detector"] = changes.get("detector", "alice_zn")
        file.attrs["engine"] = "GEANT"
        for name, array in arrays.items():
            if array is not None:
                file[name] = array
        if "conditions" in file:
            columns = ["Energy", "Vx", "Vy", "Vz", "Px", "Py", "Pz", "mass", "charge"]
            units = ["GeV", "cm", "cm", "cm", "GeV/c", "GeV/c", "GeV/c", "MeV", "e"]
            file["conditions"].attrs["columns"] = columns
            file["conditions"].attrs["units"] = units
    return path


def test_transport_file(tmp_path):
    conditions = particles() + 0.0
    path = transport(tmp_path / "t.h5", conditions=conditions)
    showers = converted([path], tmp_path)
    assert np.array_equal(showers.cells.reshape(-1, 44, 44), images()[TOGETHER])
    assert np.array_equal(showers.conditions, conditions[TOGETHER])
    assert showers.particle.tolist() == [3, 3, 3, 13, 13, 23]
    assert showers.cpu_seconds.tolist() == TOGETHER
    assert showers.provenance["engine"] == "GEANT"
    assert showers.provenance["licence"] == "not recorded"
    with h5py.File(path, "r+") as file:
        file.attrs["engine"] = JOBS
    (tmp_path / "again").mkdir()
    assert converted([path], tmp_path / "again").provenance["licence"] == "CC BY 4.0"


BAD_TRANSPORT = {
    "shape": ({"showers": images((30, 56)).astype("u2")}, r"\(30, 56\), not \(44, 44\)"),
    "negative": ({"showers": -images()}, "negative"),
    "rows": ({"pdg": np.zeros(5, "i4")}, "/pdg has 5 rows, /showers 6"),
    "no cpu": ({"cpu_seconds": None}, "/cpu_seconds is missing"),
    "nan": ({"conditions": np.full((6, 9), np.nan)}, "not a finite number"),
    "conditions differ": ({"conditions": particles() + np.arange(6)[:, None]}, "other conditions"),
}


@pytest.mark.parametrize("fault", BAD_TRANSPORT)
def test_bad_transport_files(tmp_path, fault):
    changes, words = BAD_TRANSPORT[fault]
    with pytest.raises(DataError, match=words):
        converted([transport(tmp_path / "t.h5", **changes)], tmp_path)
    assert not (tmp_path / "out.h5").exists()


def test_wrong_detector_names_both(tmp_path):
    path = transport(tmp_path / "t.h5", detector="alice_zp")
    with pytest.raises(DataError, match=r"alice_zp, but alice_zn is asked for"):
        converted([path], tmp_path, detector=ALICE_ZN)


def test_what_is_no_dialect_lists_them(tmp_path, caloforge):
    path = transport(tmp_path / "t.h5")
    convert(ConversionRequest((path,)), tmp_path / "ours.h5")
    with pytest.raises(DataError, match="already a caloforge showers file"):
        format_of((tmp_path / "ours.h5",))
    (tmp_path / "x.csv").write_text("1,2")
    with pytest.raises(DataError) as caught:
        format_of((tmp_path / "x.csv",))
    assert all(file_format.reads in str(caught.value) for file_format in FORMATS)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files are not here")
@pytest.mark.parametrize(("name", "detector"), [("zn", "alice_zn"), ("zp", "alice_zp")])
def test_the_shared_files_as_they_are(tmp_path, name, detector):
    showers = converted([SHARED / f"{name}.h5"], tmp_path)
    assert showers.detector.name == detector
    with h5py.File(SHARED / f"{name}.h5") as file:
        assert np.array_equal(showers.particle, file["particle"][:])
        assert np.array_equal(showers.cells.reshape(file["showers"].shape), file["showers"][:])
        assert np.array_equal(showers.conditions, file["conditions"][:])
