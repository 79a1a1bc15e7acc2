"""Files that people met elsewhere: each reads, or is refused in one line that says why.

tests/cases/README.md names what is wrong with each.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest

from caloforge.data.showers import read, write
from caloforge.io.arrays import open_arrays
from small_run import set_options

CASES = Path(__file__).parent / "cases"


def output_of(caloforge, *arguments, code=0):
    exit_code, out, err = caloforge(*arguments)
    assert exit_code == code, err
    assert "Traceback" not in err
    return out, err


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("scaleoffset", {}),
        ("attr_number", {"run": "42"}),
        ("attr_list", {"authors": "a, b"}),
        ("attr_null_text", {}),
    ],
)
def test_our_files_with_what_others_add_hold_the_same(name, more):
    actual, plain = read(CASES / f"{name}.h5"), read(CASES / "real64.h5")
    for column in ("cells", "conditions", "particle", "pdg"):
        assert np.array_equal(getattr(actual, column), getattr(plain, column))
    assert actual.provenance == {**plain.provenance, **more}


@pytest.mark.parametrize("name", ["cc_attr_format", "cc_attr_latin1", "cc_scaleoffset"])
def test_challenge_files_with_what_others_add_hold_the_same(caloforge, tmp_path, name):
    options = ("--detector", CASES / "binning_small.xml", "-q", "--out")
    for source in (name, "cc_ok"):
        output_of(
            caloforge, "data", "convert", CASES / f"{source}.hdf5", *options, tmp_path / source
        )
    actual, plain = (read(tmp_path / source) for source in (name, "cc_ok"))
    rounded = 1e-3 if name == "cc_scaleoffset" else 0
    np.testing.assert_allclose(actual.cells, plain.cells, atol=rounded)
    if name == "cc_attr_latin1":
        assert actual.provenance["institute"] == "Université"


def test_a_layer_that_nobody_wrote_is_dark(caloforge, tmp_path):
    out = tmp_path / "out.h5"
    output_of(
        caloforge, "data", "convert", CASES / "calogan_unwritten_layer.h5", "--out", out, "-q"
    )
    showers = read(out)
    assert not list(showers.detector.split(showers.cells).values())[-1].any()
    assert showers.cells.any()


def test_whole_energies_of_calogan_files(caloforge, tmp_path):
    source, out = tmp_path / "in.h5", tmp_path / "out.h5"
    shutil.copy(CASES / "calogan_unwritten_layer.h5", source)
    with h5py.File(source, "r+") as file:
        energy = np.rint(file["energy"][()]).astype("i4") + 1
        del file["energy"]
        file["energy"] = energy
    output_of(caloforge, "data", "convert", source, "--out", out, "-q")
    showers = read(out)
    column = showers.detector.column(showers.detector.energy)
    assert np.array_equal(showers.conditions[:, column], energy.ravel())


@pytest.mark.parametrize("name", ["npz_fortran", "npz_photon_mass_minus_1e-6"])
def test_arrays_as_pandas_and_rounding_leave_them(caloforge, tmp_path, name):
    out = tmp_path / "out.h5"
    source = CASES / name / "data_nonrandom_particles.npz"
    _, err = output_of(caloforge, "data", "convert", source, "--out", out, "-q")
    assert err == ""
    with np.load(source) as file:
        assert np.array_equal(np.sort(read(out).conditions, axis=0), np.sort(file["arr_0"], axis=0))


def test_energies_in_mev_are_said_once_with_the_option_that_mends_it(caloforge, tmp_path):
    out, mended = tmp_path / "out.h5", tmp_path / "mended.h5"
    convert = ("data", "convert", CASES / "npz_MeV" / "data_nonrandom_responses.npz", "-q", "--out")
    _, err = output_of(caloforge, *convert, out)
    assert err.count("\n") == 1
    assert "--energy-unit MeV" in err
    _, err = output_of(caloforge, "data", "info", out, "-q")
    assert err.count("--energy-unit MeV") == 1
    _, err = output_of(caloforge, *convert, mended, "--energy-unit", "MeV")
    assert err == ""
    ratio = read(out).conditions / np.where(
        read(mended).conditions == 0, np.nan, read(mended).conditions
    )
    assert np.allclose(np.nanmedian(ratio[:, [0, 4, 5, 6]], axis=0), 1000)
    assert np.allclose(np.nanmedian(ratio[:, 1:4], axis=0), 1)


def test_a_pdg_id_beyond_32_bits_is_refused(caloforge):
    _, err = output_of(caloforge, "data", "info", CASES / "pdg_int64_overflow.h5", code=3)
    assert "row 0: /pdg is 4294967318, beyond int32" in err


def test_tables_with_a_byte_order_mark_or_spaces_hold_the_same():
    tables = []
    for name in ("ok", "bom", "sp"):
        with open_arrays(CASES / f"parts_{name}.csv") as arrays:
            tables.append({n: arrays.floats(n).tolist() for n in arrays.names if n != "pdg"})
    assert tables[0] == tables[1] == tables[2]
    assert "Energy" in tables[0]


@pytest.mark.parametrize("ending", [".npz", ".ROOT", ".txt"])
def test_an_ending_that_says_another_format_is_refused(caloforge, tmp_path, ending):
    out = tmp_path / f"out{ending}"
    select = ("data", "select", CASES / "real8.h5", "--out", out, "-q")
    _, err = output_of(caloforge, *select, code=2)
    assert f"written as .h5, not {ending}" in err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe"])
def test_what_is_no_regular_file_is_neither_replaced_nor_followed(caloforge, tmp_path, kind):
    out, target = tmp_path / "out.h5", tmp_path / "target.h5"
    if kind == "pipe":
        os.mkfifo(out)
    else:
        out.symlink_to(target)
    if kind == "link":
        target.write_bytes(b"mine")
    before = out.lstat()
    for force in ([], ["--force"]):
        select = ("data", "select", CASES / "real8.h5", "--out", out, "-q", *force)
        _, err = output_of(caloforge, *select, code=2)
        assert str(out) in err
        assert err.count("\n") == 1
    assert out.lstat().st_ino == before.st_ino
    assert (target.read_bytes() if kind == "link" else b"mine") == b"mine"


def run(*arguments, before="", text=True, **environment):
    """The command line in a shell; ``before`` says what happens to its streams."""
    words = " ".join(f"'{argument}'" for argument in arguments)
    line = f"{sys.executable} -m caloforge {words} {before}"
    return subprocess.run(
        line.encode("utf-8", "surrogateescape"),
        shell=True,
        capture_output=True,
        text=text,
        env={**os.environ, **environment},
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-", "| head -c 0"])
def test_closed_streams_stop_no_work(tmp_path, streams):
    out = tmp_path / "out.h5"
    process = run("data", "select", CASES / "real8.h5", "--out", out, before=streams)
    assert "Traceback" not in process.stderr
    assert process.returncode == 0
    assert len(read(out)) == 8


def test_names_that_are_no_utf8_and_output_in_ascii(tmp_path):
    source = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xe9.h5")
    shutil.copy(CASES / "real8.h5", source)
    process = run("data", "info", source, "--json", PYTHONIOENCODING="ascii")
    assert process.returncode == 0
    assert json.loads(process.stdout)["rows"] == 8
    process = run("data", "info", source)
    assert process.returncode == 0
    assert r"\udcff\udce9.h5" in process.stdout


@pytest.mark.parametrize("option", ["--like", "--particles"])
def test_a_production_of_particles_whose_name_is_no_utf8(caloforge, tmp_path, option):
    source = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xe9.h5")
    shutil.copy(CASES / "real8.h5", source)
    out = ("--out", tmp_path / "out", "-q")
    output_of(caloforge, "generate", "alice_zn", option, source, "--shards", 1, *out)
    assert len(read(tmp_path / "out")) == 8


def test_a_name_of_248_characters(caloforge, tmp_path):
    out = tmp_path / f"{'x' * 245}.h5"
    output_of(caloforge, "data", "select", CASES / "real8.h5", "--out", out, "-q")
    assert len(read(out)) == 8


@pytest.fixture(scope="module")
def fakes(tmp_path_factory):
    """A library that makes flock and fsync fail as other file systems do."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("fs") / "fs.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, CASES / "fs.c", "-ldl"], check=True)
    return str(library)


@pytest.mark.parametrize(("number", "said"), [(22, "offers no fsync"), (5, "not synchronised")])
def test_a_folder_that_cannot_be_synchronised_is_warned_of_once(tmp_path, fakes, number, said):
    out = tmp_path / "out.h5"
    select = ("data", "select", CASES / "real8.h5", "--out", out)
    process = run(*select, LD_PRELOAD=fakes, FAKE_FSYNCDIR=str(number))
    assert process.returncode == 0
    assert process.stderr.count(said) == 1
    assert len(read(out)) == 8


def test_a_failed_fsync_of_the_file_is_an_error(tmp_path, fakes):
    select = ("data", "select", CASES / "real8.h5", "--out", tmp_path / "out.h5")
    process = run(*select, LD_PRELOAD=fakes, FAKE_FSYNC="5")
    assert f"{tmp_path}" in process.stderr.splitlines()[-1]
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "message"), [(37, None), (11, "Resource temporarily unavailable")]
)
def test_locks_that_cannot_be_had_are_said_or_done_without(fakes, number, message):
    process = run("data", "info", CASES / "real8.h5", LD_PRELOAD=fakes, FAKE_FLOCK=str(number))
    assert process.returncode == (1 if message else 0)
    if message:
        assert message in process.stderr
        assert "HDF5_USE_FILE_LOCKING=FALSE" in process.stderr
        assert "damaged" not in process.stderr


def as_a_user() -> list[str]:
    """What begins a command that may not do more than a user may."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may read and write everything, and no setpriv takes that away")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.parametrize("kind", ["file", pytest.param("folder", marks=pytest.mark.slow)])
def test_what_is_not_permitted_is_no_damage(tmp_path, kind):
    source, folder = tmp_path / "a.h5", tmp_path / "folder"
    shutil.copy(CASES / "real8.h5", source)
    folder.mkdir()
    (source if kind == "file" else folder).chmod(0)
    out = folder / "out.h5"
    words = {"file": ("data", "info", source), "folder": ("data", "select", source, "--out", out)}
    line = [*as_a_user(), sys.executable, "-m", "caloforge", *words[kind]]
    process = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    folder.chmod(0o700)
    assert process.returncode == 1, process.stderr
    assert process.stderr.count("\n") == 1
    assert f"{source if kind == 'file' else out}: Permission denied" in process.stderr
    assert not any(folder.iterdir())


def test_doctor_names_what_exists(caloforge):
    out, _ = output_of(caloforge, "doctor", "--json")
    from caloforge.cli.check import OPTIONAL
    from caloforge.data.samples import SAMPLES

    assert [sample["name"] for sample in json.loads(out)["samples"]] == list(SAMPLES)
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    wanted = {
        re.split(r"[\[>;]", one)[0]: extra
        for extra, packages in extras.items()
        if extra not in ("all", "test", "docs")
        for one in packages
    }
    assert wanted == OPTIONAL


def test_documents_with_a_byte_order_mark_read():
    from caloforge.detectors.files import find_detector
    from caloforge.recipe import Recipe

    assert find_detector(str(CASES / "detector_bom.json")).columns
    assert Recipe.from_json((CASES / "recipe_bom.json").read_text(encoding="utf-8")).training


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_limits_and_ranges_that_are_no_numbers_are_refused(tmp_path, number):
    from caloforge.detectors import ALICE_ZN
    from caloforge.errors import DataError, UsageError
    from caloforge.evaluate.gate.limits import read_gate
    from caloforge.simulator import read_card

    source = Path(__file__).parents[1] / "src" / "caloforge"
    gate, card = tmp_path / "gate.json", tmp_path / "simulator.json"
    text = (source / "evaluate" / "gate" / "alice_zn.json").read_text(encoding="utf-8")
    gate.write_text(text.replace('"version": 1', f'"version": {number}', 1))
    with pytest.raises(UsageError, match="not JSON"):
        read_gate(str(gate), ALICE_ZN)
    text = (source / "simulators" / "alice_zn" / "simulator.json").read_text(encoding="utf-8")
    card.write_text(
        text.replace('"training_ranges": {', f'"training_ranges": {{"x": [{number}, 1],', 1)
    )
    with pytest.raises(DataError, match="not JSON"):
        read_card(card)


EVALUATE = ("-q", "--classifier", "none", "--gate", "default")


@pytest.mark.parametrize(
    ("generated", "real", "says"),
    [
        ("one_saturated", "real8", "too few to say"),
        ("all_empty", "all_empty", "too few to say"),
        ("all_empty", "real8", ""),
        ("real8", "all_empty", ""),
    ],
)
def test_a_gate_that_cannot_judge_does_not_accept(caloforge, generated, real, says):
    line = ("evaluate", CASES / f"{generated}.h5", "--against", CASES / f"{real}.h5", *EVALUATE)
    out, err = output_of(caloforge, *line, code=4)
    assert says in err.lower()
    assert "ACCEPTED" not in out
    assert "e+15" not in out


def test_one_real_shower_is_too_few(caloforge):
    line = ("evaluate", CASES / "real64.h5", "--against", CASES / "one_shower_real.h5", *EVALUATE)
    _, err = output_of(caloforge, *line, code=3)
    assert err.count("\n") == 1


@pytest.mark.slow
def test_the_exit_code_of_the_gate_survives_ascii(tmp_path):
    line = ("evaluate", CASES / "one_saturated.h5", "--against", CASES / "real8.h5", *EVALUATE)
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    process = run(*line, PYTHONIOENCODING="ascii", **cache)
    assert process.returncode == 4, process.stderr
    assert "Traceback" not in process.stderr
    assert process.stdout.isascii()
    assert "TOO FEW TO SAY" in process.stdout


def test_a_link_to_a_folder_is_no_place_for_a_bundle(caloforge, tmp_path):
    target, out = tmp_path / "target", tmp_path / "out"
    target.mkdir()
    out.symlink_to(target)
    line = ("export", "alice_zn", "--target", "triton", "--out", out, "--force", "-q")
    _, err = output_of(caloforge, *line, code=2)
    assert "is a link to" in err
    assert out.is_symlink()
    assert not any(target.iterdir())


@pytest.mark.parametrize("name", ["", "a**b", "x" * 300, "no/../such"])
def test_names_that_are_no_files(caloforge, name):
    _, err = output_of(caloforge, "data", "convert", name, "--out", "out.h5", "-q", code=3)
    assert err.count("\n") == 1


def test_a_file_of_an_own_detector(caloforge, tmp_path):
    out = tmp_path / "out.h5"
    source, detector_file = CASES / "calogan_my.h5", CASES / "detector_bom.json"
    output_of(caloforge, "data", "convert", source, "--detector", detector_file, "--out", out, "-q")
    with h5py.File(source) as file:
        mev = file["layer_0"][()].sum()
    assert read(out).cells.sum() == pytest.approx(mev / 1000, rel=1e-5)


def test_the_first_block_of_the_readme(tmp_path, monkeypatch):
    simulators = Path(__file__).parents[1] / "src" / "caloforge" / "simulators"
    shutil.copy(CASES / "real8.h5", tmp_path / "showers.h5")
    shutil.copytree(simulators / "alice_zn", tmp_path / "runs" / "first" / "simulator")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec((CASES / "readme_example.py").read_text(encoding="utf-8"), names)
    assert names["channels"].shape == (8, 5)


def test_energies_in_mev_are_said_by_evaluate_and_train(caloforge, tmp_path):
    from caloforge.evaluate.inputs import load

    showers = read("alice_zn")
    some = showers.of_particles(np.unique(showers.particle)[:40])
    scale = [1e3 if c.unit == "GeV" else 1.0 for c in some.detector.conditions]
    path = tmp_path / "mev.h5"
    write(path, dataclasses.replace(some, conditions=some.conditions * scale))
    assert any("--energy-unit MeV" in one for one in load(str(path), path).warnings)
    options = ("--data", path, "--out", tmp_path / "run", *set_options("training.steps=1"))
    _, err = output_of(caloforge, "train", "sdi-gan", *options)
    assert err.count("--energy-unit MeV") == 1
