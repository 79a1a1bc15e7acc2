"""Arrays by name: what pretends to be one is refused before anything is allocated."""

import os
import warnings
import zipfile

import h5py
import numpy as np
import pytest

from caloforge.errors import DataError
from caloforge.io.arrays import open_arrays, whole_numbers


def hdf5(path, fill):
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def bomb(file):
    file.create_dataset("pdg", (400_000_000,), "f8", chunks=(1_000_000,), compression="gzip")


def group(file):
    file.create_group("pdg")


def external_link(file):
    file["pdg"] = h5py.ExternalLink("/dev/zero", "/pdg")


def soft_link(file):
    file["pdg"] = h5py.SoftLink("/other")
    file["other"] = np.arange(3)


def external_storage(file):
    file.create_dataset("pdg", (3,), "i8", external=[("/etc/passwd", 0, 24)])


def objects(file):
    file.create_dataset("pdg", data=np.array(["a", "b"], dtype=object), dtype=h5py.string_dtype())


def two_axes(file):
    file["pdg"] = np.zeros((3, 2), dtype="i8")


REFUSED = {
    bomb: "/pdg claims 3200000000 bytes of values but stores 0",
    group: "/pdg is not a dataset",
    external_link: "/pdg is a link; links are not followed",
    soft_link: "/pdg is a link; links are not followed",
    external_storage: "/pdg keeps its values in another file",
    objects: "/pdg has type object",
    two_axes: "/pdg has 2 axes, not 1",
}


@pytest.mark.parametrize("fill", REFUSED, ids=lambda fill: fill.__name__)
def test_hdf5_that_is_no_array_of_its_own(tmp_path, fill):
    path = hdf5(tmp_path / "a.h5", fill)
    with open_arrays(path) as arrays, pytest.raises(DataError) as caught:
        arrays.whole_numbers("pdg", np.int32)
    assert str(caught.value) == f"{path}: {REFUSED[fill]}" + (
        ", not integer or unsigned integer or float" if fill is objects else ""
    ) + ("; that is refused" if fill is external_storage else "")


def test_an_npz_that_lies_about_its_size(tmp_path):
    path = tmp_path / "a.npz"
    header = b"\x93NUMPY\x01\x00v\x00" + (
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (400000000,), }".ljust(117) + b"\n"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pdg.npy", header)
    with open_arrays(path) as arrays, pytest.raises(DataError, match="claims 3200000000 bytes"):
        arrays.whole_numbers("pdg")


def test_an_npz_behind_another_is_refused(tmp_path):
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    np.savez(one, pdg=np.arange(3))
    np.savez(two, pdg=np.arange(4))
    two.write_bytes(one.read_bytes() + two.read_bytes())
    with pytest.raises(DataError, match="other bytes before its arrays"), open_arrays(two):
        pass


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "none"])
def test_what_is_no_file_is_refused_at_once(tmp_path, kind):
    path = tmp_path / "a.h5"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = type(path)("/dev/zero")
    words = {"pipe": "a pipe or a device", "folder": "a folder", "none": "no such file"}
    with pytest.raises(DataError, match=words.get(kind, "a pipe or a device")), open_arrays(path):
        pass


NUMBERS = {
    "nan": (np.nan, "nan, not a whole number"),
    "infinite": (np.inf, "inf, not a whole number"),
    "large": (1e300, "1e\\+300, beyond int32"),
    "half": (2112.5, "2112.5, not a whole number"),
    "wraps": (2**32 + 2112, r"4294969408(\.0)?, beyond int32"),
    "negative": (-(2**31) - 1, r"-2147483649(\.0)?, beyond int32"),
}


@pytest.mark.parametrize("fault", NUMBERS)
@pytest.mark.parametrize("dtype", ["f8", "i8"])
def test_numbers_are_checked_not_cast(fault, dtype):
    value, words = NUMBERS[fault]
    if dtype == "i8" and (isinstance(value, float) or np.isnan(value)):
        return
    with pytest.raises(DataError, match=f"row 1: pdg is {words}"):
        whole_numbers(np.array([22, value], dtype=dtype), "pdg", np.int32)


def test_numbers_of_two_bytes_need_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert whole_numbers(np.array([22.0], "f2"), "pdg", np.int32).tolist() == [22]


def test_unsigned_numbers_beyond_a_sign_are_refused():
    with pytest.raises(DataError, match="beyond int64"):
        whole_numbers(np.array([2**63], dtype=np.uint64), "particle")


TABLES = {
    "no header": ("1,2\n3,x\n", "row 0: 1 is '3'|row 0: 2 is 'x', not a number"),
    "twice": ("a,a\n1,2\n", "must name each column once"),
    "short row": ("a,b\n1,2\n3\n", "row 1 has 1 numbers, the header 2 names"),
    "latin": ("é,b\n1,2\n".encode("latin-1"), "no text in UTF-8"),
    "quote": ('a,b\n"1,2\n', "truncated or damaged"),
    "digits": (f"a,b\n1,{'9' * 5000}\n", "not a number"),
    "underscore": ("a,b\n1,22_0\n", "row 0: b is '22_0', not a number"),
    "nan": ("a,b\n1,nan\n", "row 0: b is not a finite number"),
}


@pytest.mark.parametrize("fault", TABLES)
def test_tables_that_are_none(tmp_path, fault):
    text, words = TABLES[fault]
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=words) as caught, open_arrays(path) as arrays:
        for name in arrays.names:
            arrays.floats(name)
    assert str(caught.value).startswith(f"{path}")
    assert len(str(caught.value)) < 400


def test_particle_numbers_of_a_table_keep_all_their_digits(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("particle\n9007199254740993\n")
    with open_arrays(path) as arrays:
        assert arrays.whole_numbers("particle").tolist() == [9007199254740993]
