"""Pickles of the authors, made by raw pickle and by real pandas; and hostile ones."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caloforge.data.dialects import Request, convert
from caloforge.data.dialects.pickled import ADMITTED, unpickle
from caloforge.data.showers import read
from caloforge.errors import DataError, UsageError

FIXTURES = Path(__file__).with_name("pickles")
COLUMNS = ["Energy", "Vx", "Vy", "Vz", "Px", "Py", "Pz", "mass", "charge"]
# Rows 0, 2 and 5 are one particle, rows 1 and 3 another.
OWNER = np.array([0, 1, 0, 1, 2, 0])
TOGETHER = [0, 2, 5, 1, 3, 4]
PDG = np.array([22, -211, 22, -211, 2212, 22])


def conditions(seed=1):
    return np.random.default_rng(seed).uniform(1, 100, (3, 9))[OWNER]


def images(shape=(56, 30), seed=2):
    counts = np.random.default_rng(seed).poisson(0.2, (6, *shape))
    counts[1, 3, 4] = 765
    return counts


class Spelled:
    """An object that pickles as the call of some name, by the opcodes of any protocol."""

    def __init__(self, module, name, arguments, state=None):
        self.program = (module, name, arguments, state)


def spell(value) -> bytes:
    """Protocol 2 by hand: what pandas or numpy of any version would write, without them."""
    if isinstance(value, Spelled):
        module, name, arguments, state = value.program
        code = f"c{module}\n{name}\n".encode()
        if arguments is not None:
            code += spell(arguments) + b"R"
        return code + (spell(state) + b"b" if state is not None else b"")
    if isinstance(value, tuple):
        return b"(" + b"".join(map(spell, value)) + b"t"
    if isinstance(value, list):
        return b"(" + b"".join(map(spell, value)) + b"l"
    if isinstance(value, dict):
        items = [part for pair in value.items() for part in pair]
        return b"(" + b"".join(map(spell, items)) + b"d"
    return pickle.dumps(value, 3)[2:-1]  # between PROTO and STOP


def program(value) -> bytes:
    return b"\x80\x03" + spell(value) + b"."


def frame(table: dict, modules=("pandas.core.frame", "pandas.core.internals.managers")) -> bytes:
    """A DataFrame as pandas 1.0 pickles it: one block a column, state of the BlockManager."""
    labels = np.array(list(table), dtype=object)
    index = Spelled(
        "pandas.core.indexes.base",
        "_new_Index",
        (
            Spelled("pandas.core.indexes.base", "Index", None),
            {"data": array(labels), "name": None},
        ),
    )
    rows = Spelled(
        "pandas.core.indexes.base",
        "_new_Index",
        (
            Spelled("pandas.core.indexes.range", "RangeIndex", None),
            {"name": None, "start": 0, "stop": len(next(iter(table.values()))), "step": 1},
        ),
    )
    blocks = [
        {"values": array(np.asarray(column)[None]), "mgr_locs": array(np.array([place]))}
        for place, column in enumerate(table.values())
    ]
    newest = {"axes": [index, rows], "blocks": blocks}
    manager = Spelled(
        "copyreg",
        "_reconstructor",
        (
            Spelled(modules[1], "BlockManager", None),
            Spelled("builtins", "object", None),
            None,
        ),
        ([], [], [], {"0.14.1": newest}),
    )
    return program(
        Spelled(
            "copyreg",
            "_reconstructor",
            (
                Spelled(modules[0], "DataFrame", None),
                Spelled("builtins", "object", None),
                None,
            ),
            {"_data": manager, "_typ": "dataframe", "_metadata": []},
        )
    )


def array(values: np.ndarray) -> Spelled:
    kind = Spelled(
        "numpy",
        "dtype",
        (values.dtype.str[1:], 0, 1),
        (3, values.dtype.byteorder.replace("=", "<"), None, None, None, -1, -1, 0),
    )
    content = values.ravel().tolist() if values.dtype == object else values.tobytes()
    return Spelled(
        "numpy.core.multiarray",
        "_reconstruct",
        (Spelled("numpy", "ndarray", None), (0,), b"b"),
        (1, values.shape, kind, False, content),
    )


def table(order=None, extra=(), drop=()):
    columns = dict(zip(COLUMNS, conditions().T, strict=True))
    chosen = {name: columns[name] for name in order or COLUMNS if name not in drop}
    return {**chosen, **dict(extra)}


@pytest.fixture
def filtered(tmp_path):
    """A folder with the three filtered pickles of protons."""
    counts = images()
    sums = {"std_proton": np.ones(6), "proton_photon_sum": counts.sum(axis=(1, 2))}
    largest = np.array([np.unravel_index(image.argmax(), (56, 30)) for image in counts])
    places = dict(zip(("max_x", "max_y"), largest.T, strict=True))
    paths = [
        tmp_path / f"data_{what}_1_2312.pkl"
        for what in ("proton_photonsum_proton", "cond_photonsum_proton", "coord_photonsum_proton")
    ]
    mixed = table([*COLUMNS[::-1]], {**sums, "group_number_proton": OWNER}.items())
    contents = [pickle.dumps(counts.astype("f8"), 4), frame(mixed), frame(places)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def converted(sources, tmp_path, **options):
    out = tmp_path / "out.h5"
    convert(Request(tuple(sources), allow_pickle=True, **options), out, overwrite=True)
    return read(out)


def test_filtered_pickles(filtered, tmp_path, caloforge):
    out = tmp_path / "out.h5"
    code, _, err = caloforge("data", "convert", *filtered, "--allow-pickle", "--out", out)
    assert code == 0, err
    assert "cells are raw (detected" in err
    assert "ignored columns: std_proton, proton_photon_sum, group_number_proton" in err
    assert "warning" not in err
    showers = read(out)
    assert showers.detector.name == "alice_zp"
    assert np.array_equal(showers.cells.reshape(-1, 56, 30), images()[TOGETHER])
    assert np.array_equal(showers.conditions, conditions()[TOGETHER])  # by name, not by place
    assert showers.particle.tolist() == [0, 0, 0, 1, 1, 2]
    assert showers.pdg is None


def test_a_lone_file_of_images_finds_its_particles(filtered, tmp_path):
    filtered[2].unlink()
    assert len(converted(filtered[:1], tmp_path)) == 6
    filtered[1].rename(filtered[1].with_name("other.pkl"))
    with pytest.raises(UsageError, match="name the file of its particles"):
        converted(filtered[:1], tmp_path)


@pytest.mark.parametrize(
    "name", ["data_cond_neutron_photonsum_neutron_1_3360", "data_cond_photonsum_neutron_1_3360"]
)
def test_both_names_of_neutron_tables(tmp_path, name):
    path = tmp_path / "data_neutron_photonsum_neutron_1_3360.pkl"
    path.write_bytes(pickle.dumps(np.log1p(images((44, 44))).astype("f4"), 2))
    path.with_name(f"{name}.pkl").write_bytes(frame(table()))
    showers = converted([path], tmp_path)
    assert showers.detector.name == "alice_zn"
    assert np.array_equal(showers.cells.reshape(-1, 44, 44), images((44, 44))[TOGETHER])


def test_raw_dumps_are_put_one_behind_the_other_and_keep_the_pdg_id(tmp_path):
    sources, counts, known = [], [], []
    for number, letter in enumerate("abc"):
        shown = images(seed=number)
        stored = (shown.astype("f8"), shown.astype("u2"), np.asfortranarray(shown, "u2"))[number]
        values = dict(zip(COLUMNS, conditions(number).T, strict=True))
        extra = {"Pdg": PDG.astype("f8"), "PhotonSum": np.arange(6)}
        for name, content in (
            (f"particles_cond_with_mass2{letter}", frame({**values, **extra})),
            (f"proton_images2{letter}", pickle.dumps(stored, 4)),
        ):
            sources.append(tmp_path / f"{name}.pkl")
            sources[-1].write_bytes(content)
        counts.append(shown[TOGETHER])
        known.append(conditions(number)[TOGETHER])
    for named in (sources[::-1], sources[1::2]):  # any order; images alone find their particles
        showers = converted(named, tmp_path)
        assert np.array_equal(showers.cells.reshape(-1, 56, 30), np.concatenate(counts))
        assert np.array_equal(showers.conditions, np.concatenate(known))
        assert showers.pdg.tolist() == 3 * PDG[TOGETHER].tolist()
    assert len(converted(sources[:2], tmp_path)) == 6


def test_tables_of_every_pandas_and_protocol():
    """Real pickles of pandas 0.25 to 3.1 and numpy 1.16 to 2.4; see make_pickles.py."""
    found = sorted(FIXTURES.glob("*.pkl"))
    assert len({path.name.split("-protocol")[0] for path in found}) >= 5
    expected = np.arange(18.0).reshape(2, 9)[[0, 1, 0]] + 0.5
    for path in found:
        read_back = unpickle(path, allowed=True)
        if "table" in path.name:
            assert np.array_equal(read_back.numbers(tuple(COLUMNS)), expected), path
            assert read_back.numbers(("group_number_proton",)).ravel().tolist() == [0, 1, 0], path
        else:
            assert read_back.values.tolist() == [[0, 1, 2], [3, 4, 765]], path


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("kind", ["<f8", ">f4", "u2", "i8", "?"])
def test_arrays_of_numpy_here(tmp_path, protocol, order, kind):
    path = tmp_path / "array.pkl"
    values = np.asarray(images()[:2] % 2, dtype=kind, order=order)
    path.write_bytes(pickle.dumps(values, protocol))
    assert np.array_equal(unpickle(path, allowed=True).values, values)
    moved = values.transpose(1, 0, 2)
    path.write_bytes(pickle.dumps(moved, protocol))
    assert np.array_equal(unpickle(path, allowed=True).values, moved)


def test_pickles_want_a_flag(filtered, tmp_path, caloforge):
    code, _, err = caloforge("data", "convert", *filtered, "--out", tmp_path / "out.h5")
    assert code == 2
    assert "--allow-pickle" in err
    assert len(err.splitlines()) == 1


# What is wrong with the rows.


def refused(caloforge, sources, tmp_path, *words, options=()):
    out = tmp_path / "out.h5"
    code, shown, err = caloforge(
        "data", "convert", *sources, "--allow-pickle", "--out", out, "-q", *options
    )
    assert (code, shown) == (3, ""), err
    assert len(err.splitlines()) == 1, err
    for word in words:
        assert word in err, err
    assert not out.exists()


def test_missing_columns(filtered, tmp_path, caloforge):
    filtered[1].write_bytes(frame(table(drop=("Px", "mass"))))
    refused(caloforge, filtered, tmp_path, str(filtered[1]), "has no column Px, mass")
    unnamed = {str(place): column for place, column in enumerate(table().values())}
    filtered[1].write_bytes(frame(unnamed))
    refused(caloforge, filtered, tmp_path, "has no column Energy, Vx")


def test_rows_that_disagree_name_both_files(filtered, tmp_path, caloforge):
    short = {name: column[:5] for name, column in table().items()}
    filtered[1].write_bytes(frame(short))
    refused(caloforge, filtered, tmp_path, *map(str, filtered[:2]), "6 rows", " 5")


def test_coordinates_of_other_rows(filtered, tmp_path, caloforge):
    filtered[2].write_bytes(frame({"max_x": np.arange(6), "max_y": np.arange(6)}))
    refused(caloforge, filtered, tmp_path, str(filtered[2]), "largest pixel", "row ")


def test_photon_sums_of_other_rows_are_a_warning(filtered, tmp_path, caloforge):
    wrong = {"proton_photon_sum": images().sum(axis=(1, 2))[::-1]}
    filtered[1].write_bytes(frame(table(extra=wrong.items())))
    out = tmp_path / "out.h5"
    code, _, err = caloforge("data", "convert", *filtered, "--allow-pickle", "-q", "--out", out)
    assert code == 0
    assert "proton_photon_sum is not the sum of the image" in err


def test_values_are_not_what_is_said(filtered, tmp_path, caloforge):
    options = ("--values", "log1p")
    refused(caloforge, filtered, tmp_path, "no count; they look like raw", options=options)
    filtered[0].write_bytes(pickle.dumps(np.log1p(images())))
    options = ("--values", "raw")
    refused(caloforge, filtered, tmp_path, "no count; they look like log1p", options=options)
    filtered[0].write_bytes(pickle.dumps(np.log(images() + 1e-9)))
    refused(caloforge, filtered, tmp_path, "read as log1p, which is no count")


def test_another_detector(filtered, tmp_path, caloforge):
    options = ("--detector", "alice_zn")
    refused(caloforge, filtered, tmp_path, "(56, 30) fit no detector of alice_zn", options=options)


def test_a_recipe_for_another_detector(filtered, tmp_path, caloforge):
    out = tmp_path / "out.h5"
    assert caloforge("data", "convert", *filtered, "--allow-pickle", "-q", "--out", out)[0] == 0
    code, _, err = caloforge("train", "calibrated", "--data", out, "--out", tmp_path / "run", "-q")
    assert code == 3
    assert "alice_zp" in err
    assert "alice_zn" in err


BAD_TABLES = {
    "text": ({"Px": np.array(list("abcdef"), dtype=object)}, "column Px holds no numbers"),
    "nan": ({"Px": np.full(6, np.nan)}, "row 0: condition Px is not a finite number"),
    "pdg": ({"Pdg": np.full(6, 0.5)}, "column Pdg holds no PDG ids"),
}


@pytest.mark.parametrize("fault", BAD_TABLES)
def test_bad_tables(filtered, tmp_path, caloforge, fault):
    extra, words = BAD_TABLES[fault]
    filtered[1].write_bytes(frame(table(extra=extra.items())))
    refused(caloforge, filtered, tmp_path, str(filtered[1]), words)


def test_files_that_do_not_belong_together(filtered, tmp_path, caloforge):
    refused(caloforge, [filtered[0], filtered[0]], tmp_path, "both hold arrays")
    refused(caloforge, filtered[1:], tmp_path, "one array of images")
    refused(caloforge, [filtered[0], filtered[2]], tmp_path, "one table of particles is needed")
    refused(caloforge, [*filtered[:2], filtered[1]], tmp_path, "not 2")


# Hostile pickles: nothing that they name may run.


class Touch:
    """Makes a file if it is ever called."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile(canary: Path) -> dict[str, bytes]:
    line = f"open({str(canary)!r}, 'w').close()"
    shell = f"touch {canary}"
    call = {name: Spelled(*name.rsplit(".", 1), (text,)) for name, text in {
        "os.system": shell, "posix.system": shell, "subprocess.getoutput": shell,
        "builtins.eval": line, "builtins.exec": line, "__builtin__.eval": line,
        "numpy.testing._private.utils.runstring": line, "numpy.testing.runstring": line,
        "numpy.f2py.capi_maps.eval": line, "pandas.eval": line, "pandas.read_pickle": "x",
        "numpy.load": "x", "timeit.timeit": line, "code.interact": "x", "pydoc.pipepager": "x",
        "importlib.import_module": "antigravity", "operator.attrgetter": "system",
        "builtins.getattr": "x", "builtins.__import__": "os", "pickle.loads": b"x",
    }.items()}  # fmt: skip
    system = Spelled("os", "system", None)
    partial = Spelled("functools", "partial", (system, shell), (system, (shell,), {}, None))
    reconstruct = Spelled("numpy.core.multiarray", "_reconstruct", None)
    dtype = Spelled("numpy", "dtype", ("O8", 0, 1), (3, "|", None, None, None, -1, -1, 63))
    good = array(np.arange(3.0))
    values = {
        **call,
        "functools.partial": partial,
        "partial of admitted": Spelled("functools", "partial", (reconstruct, 1)),
        "in a list": [good, call["os.system"]],
        "in a column": array(np.array([call["os.system"]], dtype=object)),
        "as the type": Spelled("numpy", "dtype", (call["os.system"],)),
        "as the shape": Spelled("numpy.core.multiarray", "_reconstruct", (1,),
                                (1, call["os.system"], dtype, False, [])),
        "state of a function": Spelled("numpy.core.multiarray", "_reconstruct", None,
                                       {"make": "x"}),
        "state of a class": Spelled("pandas.core.frame", "DataFrame", None, {"_mgr": 1}),
        "state of a name": Spelled("numpy", "ndarray", None, {"text": "x"}),
        "encoding": Spelled("_codecs", "encode", ("x", "idna")),
        "attribute of admitted": Spelled("numpy", "ndarray.__class__", None),
        "prefix": Spelled("numpy.core.multiarray", "_reconstruct.__globals__", None),
        "never filled": Spelled("numpy.core.multiarray", "_reconstruct", (1, 2, 3)),
        "old instance": Spelled("copyreg", "_reconstructor", (system, 1, None)),
        "records": Spelled("numpy", "dtype", ("V8", 0, 1)),
        "objects as bytes": Spelled("numpy.core.multiarray", "_reconstruct", (1,),
                                    (1, (1,), dtype, False, b"12345678")),
        "bytes too few": Spelled("numpy.core.multiarray", "_reconstruct", (1,),
                                 (1, (10**12,), Spelled("numpy", "dtype", ("f8", 0, 1)), False,
                                  b"12345678")),
        "negative": Spelled("numpy.core.multiarray", "_reconstruct", (1,),
                            (1, (-1, -1), Spelled("numpy", "dtype", ("f8", 0, 1)), False,
                             b"12345678")),
    }  # fmt: skip
    programs = {name: program(value) for name, value in values.items()}
    return {
        **programs,
        "by pickle itself": pickle.dumps(Touch(os.system, shell)),
        "by pathlib": pickle.dumps(Touch(Path.touch, canary)),
        "a class inside": pickle.dumps(Path("x")),
        "INST": b"(S'" + shell.encode() + b"'\nios\nsystem\n.",
        "OBJ": b"(cos\nsystem\nS'" + shell.encode() + b"'\no.",
        "persistent": b"\x80\x02Pabc\n.",
        "extension": b"\x80\x02\x82\x01.",
        "append to a name": b"\x80\x02cnumpy\nndarray\n(K\x01e.",
        "items of a name": b"\x80\x02cnumpy\nndarray\n(K\x01K\x02u.",
        "newobj of a function": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)\x81.",
        "a lie about a size": b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b".",
        "text": b"not a pickle at all",
        "empty": b"",
        "a number": pickle.dumps(3),
    }


CANARY = "canary"


@pytest.mark.parametrize("attack", sorted(hostile(Path(CANARY))))
def test_hostile_pickles_execute_nothing(filtered, tmp_path, caloforge, attack, monkeypatch):
    monkeypatch.chdir(tmp_path)
    canary = tmp_path / CANARY
    for place in (0, 1):
        good = filtered[place].read_bytes()
        filtered[place].write_bytes(hostile(canary)[attack])
        refused(caloforge, filtered, tmp_path, str(filtered[place]))
        filtered[place].write_bytes(good)
    assert not canary.exists()
    assert "antigravity" not in sys.modules


def test_the_attacks_would_succeed_elsewhere(tmp_path):
    """The canary is a real one: plain pickle executes these."""
    attacks = hostile(tmp_path / CANARY)
    for name in ("os.system", "builtins.exec", "INST", "in a list"):
        pickle.loads(attacks[name])
        assert (tmp_path / CANARY).exists(), name
        (tmp_path / CANARY).unlink()


def test_every_admitted_name_is_ours_and_exact():
    for (module, name), stands_for in ADMITTED.items():
        assert "*" not in module + name
        assert "." not in name
        kind = stands_for if isinstance(stands_for, type) else type(stands_for)
        assert kind.__module__.startswith("caloforge."), (module, name)
        assert "__setstate__" in vars(kind), (module, name)  # no state can change it


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_pickles_are_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "table.pkl"
    content = bytearray(data.draw(st.sampled_from([frame(table()), program(array(OWNER))])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    message = ""
    try:
        unpickle(path, allowed=True)
    except DataError as error:
        message = str(error)
    assert not message or message.startswith(str(path))
    assert "\n" not in message


def test_memory_stays_below_twice_the_array(tmp_path):
    """In a process of its own: 100 MB of float64, as the authors' files have it."""
    rows = 7_500
    counts = np.zeros((rows, 56, 30))
    counts[np.arange(rows), np.arange(rows) % 56, 3] = 1 + np.arange(rows) % 700
    table = np.random.default_rng(0).normal(1, 0.1, (rows // 5, 9)).repeat(5, axis=0)
    (tmp_path / "images.pkl").write_bytes(pickle.dumps(counts, 4))
    (tmp_path / "particles.pkl").write_bytes(frame(dict(zip(COLUMNS, table.T, strict=True))))
    script = """
import sys
from caloforge.cli import main
import caloforge.data.dialects, caloforge.data.showers
def peak():  # not getrusage: a child begins with what its parent held
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
assert main(["data", "convert", *sys.argv[1:], "--allow-pickle", "-q"]) == 0
print(peak() - before)
"""
    command = [sys.executable, "-c", script, tmp_path / "images.pkl", tmp_path / "particles.pkl"]
    shown = subprocess.run(
        [*command, "--out", tmp_path / "out.h5"], capture_output=True, text=True, check=True
    ).stdout
    taken = 1024 * int(shown.splitlines()[-1]) / counts.nbytes
    assert 1 < taken < 1.6  # the pickle's bytes, a quarter of them as uint16, and some chunks
