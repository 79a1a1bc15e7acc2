"""Our readers on files by raw h5py, our writer against our readers, and all kinds of bad files."""

import re

import h5py
import numpy as np
import pytest

from caloforge.data.showers import ShowerFile, Showers, ShowerWriter, read, write
from caloforge.detectors import ALICE_ZN
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.machine import NO_LOCKS
from full_disk import largest_file
from tests.input_output.raw import IDS, REPEATS, TOY, numbers, variant, write_raw


def in_memory(seed=0):
    n = numbers(seed)
    cells = np.concatenate(
        [n["showers/front"].reshape(10, 12), n["showers/back"].reshape(10, 4)], 1
    )
    return Showers(
        TOY, cells, n["conditions"], n["particle"], n["pdg"], n["cpu_seconds"], {"engine": "us"}
    )


def same(a: Showers, b: Showers) -> bool:
    names = ("cells", "conditions", "particle", "pdg", "cpu_seconds")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


def test_reads_what_h5py_wrote(tmp_path):
    showers = read(write_raw(tmp_path / "a.h5"), TOY)
    assert same(showers, in_memory())
    assert showers.provenance == {"engine": "a pencil", "licence": "none"}
    assert showers.detector == TOY
    assert (
        showers.total()[0]
        == numbers()["showers/front"][0].sum() + numbers()["showers/back"][0].sum()
    )


def test_cells_of_all_layers_are_flat_in_order_of_x(tmp_path):
    front = np.zeros((10, 4, 3), "u2")
    front[3, 2, 1] = 7
    cells = read(write_raw(tmp_path / "a.h5", {"showers/front": front})).cells
    assert cells[3, 2 * 3 + 1] == 7


def test_other_integer_types_and_floats_of_conditions_are_taken(tmp_path):
    n = numbers()
    arrays = {
        "showers/front": n["showers/front"].astype(">i4"),
        "particle": n["particle"].astype("i4"),
        "conditions": n["conditions"].astype("f4"),
    }
    showers = read(write_raw(tmp_path / "a.h5", arrays))
    assert showers.cells.dtype == np.uint16
    assert np.array_equal(showers.conditions, n["conditions"].astype("f4").astype("f8"))


def test_text_of_variable_length_as_h5py_writes_it(tmp_path):
    path = write_raw(tmp_path / "a.h5", attrs={"engine": None, "columns": None})
    with h5py.File(path, "a") as file:
        file.attrs["engine"] = "a pencil"
        file.attrs["columns"] = ["Energy", "Px"]
    assert read(path).provenance["engine"] == "a pencil"


def test_optional_columns_may_lack(tmp_path):
    showers = read(write_raw(tmp_path / "a.h5", {"pdg": None, "cpu_seconds": None}))
    assert showers.pdg is None
    assert showers.cpu_seconds is None


def test_a_written_file_is_the_layout_by_h5py(tmp_path):
    path = tmp_path / "a.h5"
    with ShowerWriter(path, TOY, {"engine": "us", "seed": "4"}, channels_scheme="halves") as writer:
        writer.extend(in_memory().rows(slice(0, 2)))
        writer.extend(in_memory().rows(slice(2, 10)))
    with h5py.File(path) as file:
        for name, array in numbers().items():
            assert np.array_equal(file[name][:], array)
            assert file[name].dtype == array.dtype
        assert file.attrs["format"] == b"caloforge-showers"
        assert file.attrs["version"] == 1
        assert list(file.attrs["columns"]) == [b"Energy", b"Px"]
        assert file.attrs["seed"] == b"4"
        cells = in_memory().cells
        sums = np.column_stack([cells[:, 0::2].sum(1), cells[:, 1::2].sum(1)])
        assert np.array_equal(file["channels"][:], sums)
        assert file["channels"].attrs["scheme"] == b"halves"
    with ShowerFile(path) as file:
        assert np.array_equal(file.channels, sums)
        assert file.channels_scheme == "halves"


def test_float_detectors_keep_float32(tmp_path):
    detector = variant(counts=False, unit="GeV", name="toy_float")
    cells = np.random.default_rng(0).exponential(1, (10, 16)).astype("f4")
    showers = Showers(detector, cells, in_memory().conditions, in_memory().particle)
    write(tmp_path / "a.h5", showers)
    assert np.array_equal(read(tmp_path / "a.h5", detector).cells, cells)
    cells[2, 3] = -1
    with pytest.raises(DataError, match="negative"):
        write(tmp_path / "b.h5", showers)


def test_lazy_file_gives_ranges_and_chunks(tmp_path):
    whole = in_memory()
    with ShowerFile(write_raw(tmp_path / "a.h5")) as file:
        assert len(file) == 10
        assert np.array_equal(file.cells(3, 7), whole.cells[3:7])
        chunks = list(file.chunks(4))
        assert [len(chunk) for chunk in chunks] == [4, 4, 2]
        assert same(chunks[1], whole.rows(slice(4, 8)))
        assert file.groups().ids.tolist() == list(IDS)
        assert file.groups().counts.tolist() == list(REPEATS)
        assert file.channels is None
        assert file.channels_scheme is None


@pytest.mark.parametrize("number", NO_LOCKS)
def test_a_file_system_without_locks_is_read_from(tmp_path, monkeypatch, number):
    path, original = write_raw(tmp_path / "a.h5"), h5py.File

    def without_locks(*arguments, **options):
        if "locking" not in options:
            raise OSError(f"Unable to open file (unable to lock file, errno = {number}, error)")
        return original(*arguments, **options)

    monkeypatch.setattr(h5py, "File", without_locks)
    assert len(read(path)) == 10


def test_rows_of_particles():
    showers = in_memory().of_particles(np.array([4, 5]))
    assert showers.particle.tolist() == [5, 5, 5, 4, 4, 4, 4]


def test_output_that_exists_stays(tmp_path):
    path = tmp_path / "a.h5"
    write(path, in_memory())
    before = path.read_bytes()
    with pytest.raises(UsageError, match=re.escape(str(path))):
        write(path, in_memory(1))
    assert path.read_bytes() == before
    write(path, in_memory(1), overwrite=True)
    assert same(read(path), in_memory(1))


def test_nothing_is_left_of_a_failed_write(tmp_path):
    with (
        pytest.raises(RuntimeError, match="midway"),
        ShowerWriter(tmp_path / "a.h5", TOY, {}) as writer,
    ):
        writer.extend(in_memory())
        raise RuntimeError("midway")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 60000, (200, 1936)).astype("u2")
    showers = Showers(ALICE_ZN, noise, np.ones((200, 9)), np.arange(200))
    with (
        largest_file(100_000),
        pytest.raises(CaloforgeError, match="no space left") as caught,
    ):
        write(tmp_path / "a.h5", showers)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def append(writer, showers):
    writer.append(
        showers.cells,
        showers.conditions,
        showers.particle,
        pdg=showers.pdg,
        cpu_seconds=showers.cpu_seconds,
    )


def rows_again(showers):
    return showers.rows(np.array([0, 3, 1]))


def other_conditions(showers):
    conditions = showers.conditions.copy()
    conditions[1, 0] += 1e-9
    return Showers(
        TOY, showers.cells, conditions, showers.particle, showers.pdg, showers.cpu_seconds
    )


def not_finite(showers):
    conditions = np.full_like(showers.conditions, np.nan)
    return Showers(
        TOY, showers.cells, conditions, showers.particle, showers.pdg, showers.cpu_seconds
    )


def without_pdg(showers):
    return Showers(TOY, showers.cells, showers.conditions, showers.particle)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (rows_again, "particle 5 appears again"),
        (other_conditions, "other conditions"),
        (not_finite, "Energy is not a finite number"),
        (without_pdg, "promised a column pdg"),
    ],
)
def test_writer_refuses(tmp_path, spoil, message):
    with (
        pytest.raises(DataError, match=message),
        ShowerWriter(tmp_path / "a.h5", TOY, {}) as writer,
    ):
        append(writer, spoil(in_memory()))
    assert list(tmp_path.iterdir()) == []


def test_writer_refuses_a_particle_that_comes_back_or_changes(tmp_path):
    showers = in_memory()
    with (
        pytest.raises(DataError, match="particle 5 appears again"),
        ShowerWriter(tmp_path / "a.h5", TOY, {}) as writer,
    ):
        writer.extend(showers)
        writer.extend(showers.rows(slice(0, 1)))
    with (
        pytest.raises(DataError, match="other conditions"),
        ShowerWriter(tmp_path / "a.h5", TOY, {}) as writer,
    ):
        writer.extend(showers.rows(slice(0, 1)))
        writer.extend(other_conditions(showers).rows(slice(1, 2)))
    with (
        pytest.raises(DataError, match="no showers to write"),
        ShowerWriter(tmp_path / "a.h5", TOY, {}),
    ):
        pass


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"cells of alice_zn showers must be uint16 \(1, 1936\)"):
        Showers(ALICE_ZN, np.zeros((1, 1936)), np.zeros((1, 9)), np.zeros(1, "i8"))
    with pytest.raises(DataError, match="conditions"):
        Showers(ALICE_ZN, np.zeros((1, 1936), "u2"), np.zeros((1, 8)), np.zeros(1, "i8"))
