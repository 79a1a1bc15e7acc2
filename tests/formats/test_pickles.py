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

from caloforge.data.showers import read
from caloforge.errors import DataError, UsageError
from caloforge.formats import ConversionRequest, convert
from caloforge.formats.pickled import ADMITTED, unpickle
from tests.formats.zdc_raw import COLUMNS, OWNER, PDG, TOGETHER
from tests.formats.zdc_raw import particles as conditions

FIXTURES = Path(__file__).with_name("pickles")


def images(shape=(56, 30), seed=2):
    counts = np.random.default_rng(seed).poisson(0.2, (6, *shape))
    counts[1, 3, 4] = 765
    return counts


class Spelled:
    """An object that pickles as the call of some name, by the opcodes of any protocol."""

    def __init__(self, module, name, arguments, state=None):
        self.program = (module, name, arguments, state)


class Code:
    """Opcodes as they are."""

    def __init__(self, text):
        self.text = text


def spell(value) -> bytes:
    """Protocol 2 by hand: what pandas or numpy of any version would write, without them."""
    if isinstance(value, Spelled):
        module, name, arguments, state = value.program
        code = f"c{module}\n{name}\n".encode()
        if arguments is not None:
            code += spell(arguments) + b"R"
        return code + (spell(state) + b"b" if state is not None else b"")
    if isinstance(value, Code):
        return value.text
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


def call(module, name, *arguments) -> Spelled:
    return Spelled(module, name, arguments)


def frame(table: dict) -> bytes:
    """A DataFrame as pandas 1.0 pickles it: one block a column, state of the BlockManager."""
    blocks = [
        (array(np.asarray(column)[None]), array(np.array([place])))
        for place, column in enumerate(table.values())
    ]
    rows = len(next(iter(table.values())))
    return framed(array(np.array(list(table), dtype=object)), blocks, rows)


def framed(names: Spelled, blocks: list, rows: int) -> bytes:
    """A DataFrame of names of columns and (values, places)."""
    indexes = "pandas.core.indexes"
    kind, count = (
        Spelled(f"{indexes}.base", "Index", None),
        Spelled(f"{indexes}.range", "RangeIndex", None),
    )
    axes = [
        call(f"{indexes}.base", "_new_Index", kind, {"data": names, "name": None}),
        call(
            f"{indexes}.base",
            "_new_Index",
            count,
            {"name": None, "start": 0, "stop": rows, "step": 1},
        ),
    ]
    newest = {"axes": axes, "blocks": [{"values": v, "mgr_locs": p} for v, p in blocks]}
    manager = instance(
        "pandas.core.internals.managers", "BlockManager", ([], [], [], {"0.14.1": newest})
    )
    state = {"_data": manager, "_typ": "dataframe", "_metadata": []}
    return program(instance("pandas.core.frame", "DataFrame", state))


def instance(module, name, state) -> Spelled:
    """An object as protocols 0 and 1 make it."""
    kinds = (Spelled(module, name, None), Spelled("builtins", "object", None), None)
    return Spelled("copyreg", "_reconstructor", kinds, state)


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
    selection = {name: columns[name] for name in order or COLUMNS if name not in drop}
    return {**selection, **dict(extra)}


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
    convert(ConversionRequest(tuple(sources), allow_pickle=True, **options), out, overwrite=True)
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
    sources, counts, condition_rows = [], [], []
    for number, letter in enumerate("abc"):
        raw = images(seed=number)
        dumps = (raw.astype("f8"), raw.astype("u2"), np.asfortranarray(raw, "u2"))[number]
        values = dict(zip(COLUMNS, conditions(number).T, strict=True))
        extra = {"Pdg": PDG.astype("f8"), "PhotonSum": np.arange(6)}
        for name, content in (
            (f"particles_cond_with_mass2{letter}", frame({**values, **extra})),
            (f"proton_images2{letter}", pickle.dumps(dumps, 4)),
        ):
            sources.append(tmp_path / f"{name}.pkl")
            sources[-1].write_bytes(content)
        counts.append(raw[TOGETHER])
        condition_rows.append(conditions(number)[TOGETHER])
    for order in (sources[::-1], sources[1::2]):  # any order; images alone find their particles
        showers = converted(order, tmp_path)
        assert np.array_equal(showers.cells.reshape(-1, 56, 30), np.concatenate(counts))
        assert np.array_equal(showers.conditions, np.concatenate(condition_rows))
        assert showers.pdg.tolist() == 3 * PDG[TOGETHER].tolist()
    assert len(converted(sources[:2], tmp_path)) == 6


def test_tables_of_every_pandas_and_protocol():
    """Real pickles of pandas 0.25 to 3.1, with and without pyarrow; see make_pickles.py."""
    actual = sorted(FIXTURES.glob("*.pkl"))
    assert len({path.name.split("-protocol")[0] for path in actual}) >= 5
    expected = np.arange(18.0).reshape(2, 9)[[0, 1, 0]] + 0.5
    for path in actual:
        read_back = unpickle(path, allow=True)
        if "text" in path.name:
            text = read_back.columns["name"].tolist()
            assert (text[0], str(text[1]) in ("nan", "None"), text[2]) == ("photon", True, "pion")
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
    assert np.array_equal(unpickle(path, allow=True).values, values)
    moved = values.transpose(1, 0, 2)
    path.write_bytes(pickle.dumps(moved, protocol))
    assert np.array_equal(unpickle(path, allow=True).values, moved)


@pytest.mark.parametrize("arrow", ["", "-pyarrow"])
def test_columns_of_text_are_no_conditions(arrow):
    path = FIXTURES / f"pandas-3.1.1{arrow}-protocol5-text-table.pkl"
    actual = unpickle(path, allow=True)
    assert actual.numbers(("Px",)).shape == (3, 1)
    with pytest.raises(DataError, match="column name holds no numbers"):
        actual.numbers(("Px", "name"))


def arrow(texts, **changes):
    """Names as pyarrow keeps them, but for what is changed."""
    content = "".join(texts).encode()
    places = np.cumsum([0, *map(len, texts)]).astype("<i8").tobytes()
    parts = {"kind": "large_string", "length": len(texts), "places": places, "content": content}
    parts |= changes
    buffers = [None, parts["places"], parts["content"]]
    restored = call(
        "pyarrow.lib", "_restore_array", (parts["kind"], parts["length"], 0, 0, buffers, [], None)
    )
    return instance("pandas.arrays", "ArrowStringArray", {"_pa_array": restored})


BAD_TEXTS = {
    "overlapping": {"places": np.array([0, 2, 1, 4], "<i8").tobytes()},
    "before the first": {"places": np.array([-1, 2, 3, 4], "<i8").tobytes()},
    "beyond the last": {"places": np.array([0, 2, 3, 99], "<i8").tobytes()},
    "too few places": {"places": bytes(8)},
    "too many": {"length": 2**39},
    "negative": {"length": -1},
    "another type": {"kind": "double"},
    "no bytes": {"content": 3},
    "no UTF-8": {"content": b"\xff\xff\xff\xff"},
}


@pytest.mark.parametrize("fault", BAD_TEXTS)
def test_texts_of_pyarrow_are_checked(tmp_path, fault):
    path = tmp_path / "table.pkl"
    blocks = [(array(np.ones((3, 2))), array(np.arange(3)))]
    path.write_bytes(framed(arrow(["Px", "P", "y"]), blocks, 2))
    assert [*unpickle(path, allow=True).columns] == ["Px", "P", "y"]
    path.write_bytes(framed(arrow(["Px", "P", "y"], **BAD_TEXTS[fault]), blocks, 2))
    with pytest.raises(DataError, match=str(path)):
        unpickle(path, allow=True)


def test_a_pdg_id_of_all_rows_can_be_told(filtered, tmp_path, caloforge):
    assert converted(filtered, tmp_path, pdg=2212).pdg.tolist() == [2212] * 6
    filtered[1].write_bytes(frame(table(extra={"Pdg": PDG}.items())))
    assert converted(filtered, tmp_path).pdg.tolist() == PDG[TOGETHER].tolist()
    with pytest.raises(UsageError, match="tells its PDG ids: leave --pdg out"):
        converted(filtered, tmp_path, pdg=2212)
    with pytest.raises(UsageError, match="--clip-negative means nothing for pickles"):
        converted(filtered, tmp_path, clip_negative=True)


def test_scaled_conditions_are_a_warning(filtered, tmp_path, caloforge):
    out = tmp_path / "out.h5"
    arguments = ("data", "convert", *filtered, "--allow-pickle", "-q", "--out", out)
    assert caloforge(*arguments)[2] == ""
    scaled = {name: (each - each.mean()) / (each.std() + 1e-9) for name, each in table().items()}
    filtered[1].write_bytes(frame(scaled))
    code, _, err = caloforge(*arguments, "--force")
    assert code == 0
    assert f"warning: {filtered[1]}: row 0: no particle has a mass of -" in err


def test_pickles_want_a_flag(filtered, tmp_path, caloforge):
    code, _, err = caloforge("data", "convert", *filtered, "--out", tmp_path / "out.h5")
    assert code == 2
    assert "--allow-pickle" in err
    assert len(err.splitlines()) == 1


# What is wrong with the rows.


def refused(caloforge, sources, tmp_path, *words, options=()):
    out = tmp_path / "out.h5"
    code, output, err = caloforge(
        "data", "convert", *sources, "--allow-pickle", "--out", out, "-q", *options
    )
    assert (code, output) == (3, ""), err
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
    refused(caloforge, filtered, tmp_path, "read as log1p, which is no count", "by np.log, not")


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
    "pdg": ({"Pdg": np.full(6, 0.5)}, "column Pdg (PDG id) is 0.5, not a whole number"),
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
        unpickle(path, allow=True)
    except DataError as error:
        message = str(error)
    assert not message or message.startswith(str(path))
    assert "\n" not in message


PEAK = """
import sys
from caloforge.cli import main
import caloforge.formats, caloforge.data.showers
def peak():  # not getrusage: a child begins with what its parent held
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
assert main(["data", "convert", *sys.argv[1:], "--allow-pickle", "-q"]) == 0
print(peak() - before)
"""


@pytest.mark.parametrize(
    ("letters", "kind", "most"),
    [
        pytest.param("", "f8", 1.6, id="one file"),
        pytest.param("abc", "u2", 1.6, id="raw dumps of counts", marks=pytest.mark.slow),
        pytest.param("abc", "f8", 1.1, id="raw dumps", marks=pytest.mark.slow),
    ],
)
def test_memory_stays_below_twice_the_array(tmp_path, letters, kind, most):
    """In a process of its own: 100 MB in one file or three, as the authors have them."""
    rows = 7_500 if kind == "f8" else 30_000
    counts = np.zeros((rows, 56, 30), dtype=kind)
    counts[np.arange(rows), np.arange(rows) % 56, 3] = 1 + np.arange(rows) % 700
    condition_rows = np.concatenate([conditions(seed) for seed in range(rows // 6)])
    parts = len(letters) or 1
    names = [(f"proton_images2{a}", f"particles_cond_with_mass2{a}") for a in letters]
    sources = []
    for part, pair in enumerate(names or [("images", "particles")]):
        mine = slice(part * rows // parts, (part + 1) * rows // parts)
        table = dict(zip(COLUMNS, condition_rows[mine].T, strict=True))
        for name, content in zip(pair, (pickle.dumps(counts[mine], 4), frame(table)), strict=True):
            sources.append(tmp_path / f"{name}.pkl")
            sources[-1].write_bytes(content)
    command = [sys.executable, "-c", PEAK, *sources, "--out", tmp_path / "out.h5"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ratio = 1024 * int(output.splitlines()[-1]) / counts.nbytes
    assert ratio < most  # what is held, a quarter of float64 beside it as uint16, and some chunks
