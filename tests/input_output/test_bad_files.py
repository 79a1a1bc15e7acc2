"""Whatever is wrong with a file, the answer is one line: DataError that names file and fault."""

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caloforge.data.showers import ShowerFile, read, write
from caloforge.detectors import ALICE_ZN
from caloforge.errors import DataError
from tests.input_output.raw import numbers, variant, write_raw
from tests.input_output.test_showers_file import in_memory, same


def refused(path, *words, detector=None):
    with pytest.raises(DataError) as caught:
        read(path, detector)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    for word in words:
        assert word in message, message


def changed(name, change):
    array = numbers()[name].copy()
    return {name: change(array)}


def put(place, value):
    def change(array):
        array = array.astype("f8") if isinstance(value, float) else array.astype("i4")
        array[place] = value
        return array

    return change


ARRAYS = {
    "nan condition": (changed("conditions", put((4, 1), np.nan)), ["row 4", "Px", "finite"]),
    "infinite condition": (changed("conditions", put((0, 0), np.inf)), ["row 0", "Energy"]),
    "negative count": (changed("showers/front", put((2, 0, 0), -1)), ["negative", "-1"]),
    "count too large": (changed("showers/back", put((2, 0, 0), 70000)), ["70000", "65535"]),
    "fractional counts": (changed("showers/back", lambda a: a + 0.5), ["float64", "integer"]),
    "columns": (changed("conditions", lambda a: a[:, :1]), ["1 columns", "has 2"]),
    "rows": (changed("conditions", lambda a: a[:9]), ["/conditions has 9 rows", "10"]),
    "rows of a layer": (changed("showers/back", lambda a: a[:9]), ["/showers/back", "9", "10"]),
    "rows of a column": (changed("pdg", lambda a: a[:9]), ["/pdg has 9 rows"]),
    "layer shape": (changed("showers/front", lambda a: a.transpose(0, 2, 1)), ["(3, 4)", "(4, 3)"]),
    "layer axes": (changed("showers/front", lambda a: a.reshape(10, 12)), ["2 axes", "3"]),
    "no layer": ({"showers/back": None}, ["/showers/back", "missing"]),
    "no conditions": ({"conditions": None}, ["/conditions", "missing"]),
    "no particle": ({"particle": None}, ["/particle", "missing"]),
    "particle comes back": (changed("particle", put(9, 5)), ["particle 5", "again", "adjacent"]),
    "other conditions": (changed("conditions", put((1, 0), 3.0)), ["particle 5", "other cond"]),
    "no rows": ({n: a[:0] for n, a in numbers().items()}, ["no showers"]),
    "text for numbers": ({"particle": np.array([b"x"] * 10)}, ["/particle has type"]),
}


@pytest.mark.parametrize("fault", ARRAYS)
def test_wrong_arrays(tmp_path, fault):
    arrays, words = ARRAYS[fault]
    refused(write_raw(tmp_path / "a.h5", arrays), *words)


ATTRIBUTES = {
    "foreign": ({"format": None}, ["not a caloforge showers file", "convert"]),
    "other format": ({"format": "caloforge-recipe"}, ["not a caloforge showers file"]),
    "newer": ({"version": 2}, ["caloforge-showers version 2", "version 1", "update"]),
    "version 0": ({"version": 0}, ["version 0"]),
    "version is text": ({"version": "one"}, ["version is not a whole number"]),
    "column order": ({"columns": ["Px", "Energy"]}, ["Px, Energy", "Energy, Px"]),
    "units": ({"units": ["MeV", "GeV/c"]}, ["MeV", "units"]),
    "no columns": ({"columns": None}, ["attribute columns is missing"]),
    "columns are numbers": ({"columns": [1, 2]}, ["attribute columns"]),
    "no detector": ({"detector": None}, ["attribute detector is missing"]),
    "detector is no JSON": ({"detector": "{"}, ["attribute detector: not JSON"]),
    "detector is a list": ({"detector": "[1]"}, ["describes no detector"]),
    "detector lacks fields": ({"detector": '{"name": "x"}'}, ["damaged"]),
    "hash": ({"detector_hash": "0" * 16}, ["toy_calorimeter", "hash 0000"]),
}


@pytest.mark.parametrize("fault", ATTRIBUTES)
def test_wrong_attributes(tmp_path, fault):
    attrs, words = ATTRIBUTES[fault]
    refused(write_raw(tmp_path / "a.h5", attrs=attrs), *words)


def test_wrong_detector_names_both(tmp_path):
    path = write_raw(tmp_path / "a.h5")
    refused(path, "toy_calorimeter", "alice_zn", detector=ALICE_ZN)
    other = variant(unit="GeV")
    refused(path, "toy_calorimeter", "other cells, columns or units", detector=other)


def test_a_built_in_name_with_other_cells(tmp_path):
    fake = variant(name="alice_zn")
    attrs = {"detector": fake.model_dump_json(), "detector_hash": fake.fingerprint}
    refused(write_raw(tmp_path / "a.h5", attrs=attrs), "alice_zn", "hash")


def test_no_hdf5(tmp_path):
    refused(tmp_path / "none.h5", "no such file")
    refused(tmp_path, "is a folder, not a file")
    text = tmp_path / "text.h5"
    text.write_text("a,b\n1,2\n")
    refused(text, "not an HDF5 file")
    empty = tmp_path / "empty.h5"
    empty.touch()
    refused(empty, "not an HDF5 file")
    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w") as file:
        file["layer_0"] = np.zeros(3)
    refused(foreign, "not a caloforge showers file")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_file_behind_another_is_refused(tmp_path, libver):
    parts = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for part in parts:
        with h5py.File(part, "w", libver=libver) as file:
            file["particle"] = np.arange(3)
    (tmp_path / "both.h5").write_bytes(b"".join(part.read_bytes() for part in parts))
    refused(tmp_path / "both.h5", "two files, one behind the other")
    refused(parts[0], "not a caloforge showers file")


def test_truncated(tmp_path):
    path = write_raw(tmp_path / "a.h5")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(path, "truncated or damaged")


def replace_by_external_link(file):
    file["conditions"] = h5py.ExternalLink("other.h5", "/conditions")


def replace_by_soft_link(file):
    file["conditions"] = h5py.SoftLink("/elsewhere")


def replace_by_virtual(file):
    layout = h5py.VirtualLayout((10, 2), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "conditions", shape=(10, 2))
    file.create_virtual_dataset("conditions", layout)


def replace_by_raw_external(file):
    file.create_dataset("conditions", shape=(10, 2), dtype="f8", external=[("/etc/passwd", 0, 160)])


def replace_by_objects(file):
    file.create_dataset("conditions", (10, 2), h5py.string_dtype())


def replace_by_references(file):
    file.create_dataset("conditions", (10, 2), h5py.ref_dtype)


def replace_by_a_group(file):
    file.create_group("conditions")


def replace_by_unwritten(file):
    file.create_dataset("conditions", (10, 2), "f8", chunks=(10, 2))


@pytest.mark.parametrize(
    ("replace", "word"),
    [
        (replace_by_external_link, "link"),
        (replace_by_soft_link, "link"),
        (replace_by_virtual, "another file"),
        (replace_by_raw_external, "another file"),
        (replace_by_objects, "type object"),
        (replace_by_references, "type object"),
        (replace_by_a_group, "not a dataset"),
        (replace_by_unwritten, "claims 160 bytes"),
    ],
)
def test_nothing_but_plain_arrays_of_this_file(tmp_path, replace, word):
    path = write_raw(tmp_path / "a.h5", {"conditions": None})
    with h5py.File(path, "a") as file:
        replace(file)
    refused(path, "/conditions", word)


def test_a_linked_group_of_layers(tmp_path):
    path = write_raw(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file.move("showers", "hidden")
        file["showers"] = h5py.SoftLink("/hidden")
    refused(path, "/showers is a link")


def test_sizes_are_checked_before_memory_is_asked_for(tmp_path):
    path = write_raw(tmp_path / "a.h5", {"showers/front": None})
    with h5py.File(path, "a") as file:
        huge = file["showers"].create_dataset(
            "front", (10**13, 4, 3), "u2", chunks=(64, 4, 3), compression="gzip"
        )
        huge[0] = 1
    refused(path, "/showers/front claims", "bytes")


def test_chunks_too_large_for_memory_are_refused(tmp_path):
    path = write_raw(tmp_path / "a.h5", {"particle": None})
    with h5py.File(path, "a") as file:
        file.create_dataset("particle", (10,), "i8", chunks=(2**26,), maxshape=(None,))
    refused(path, "/particle claims")


def test_errors_in_a_late_chunk_name_the_file(tmp_path):
    path = write_raw(tmp_path / "a.h5", changed("showers/front", put((9, 0, 0), -3)))
    with ShowerFile(path) as file:
        file.cells(0, 5)
        with pytest.raises(DataError, match=str(path)):
            file.cells(5, 10)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A file by our writer: metadata and values carry checksums."""
    path = tmp_path_factory.mktemp("good") / "good.h5"
    write(path, in_memory())
    return path


SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(data=st.data())
def test_flipped_bytes_are_noticed_or_harmless(good, data):
    content = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
    survive(good, bytes(content))


def test_an_end_beyond_all_files_is_damage(good):
    """The end that the superblock states, where its version puts it."""
    content = bytearray(good.read_bytes())
    place = {0: 40, 1: 44}.get(content[8], 28)
    content[place : place + 8] = bytes([255] * 7 + [127])
    survive(good, bytes(content))


@settings(max_examples=30, deadline=None, suppress_health_check=SLOW)
@given(fraction=st.floats(0, 1))
def test_truncation_is_noticed(good, fraction):
    content = good.read_bytes()
    survive(good, content[: int(fraction * len(content))])


def survive(good, content):
    path = good.with_name("spoilt.h5")
    path.write_bytes(content)
    message = ""
    try:
        showers = read(path)
    except DataError as error:
        message = str(error)
    if message:
        assert message.startswith(str(path))
        assert "\n" not in message
    else:
        assert same(showers, in_memory())
        assert showers.provenance == {"engine": "us"}
