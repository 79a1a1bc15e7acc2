"""A simulator computes what its graph says, and nothing foreign gets as far as a runtime."""

import contextlib
import io
import json
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from caloforge.errors import DataError, UsageError
from caloforge.simulator import Simulator
from caloforge.simulator.onnx_safety import read_facts, refuse_foreign
from caloforge.simulator.reference import Reference
from caloforge.simulator.sampling import BLOCK, block_streams
from caloforge.simulator.shipped import find_simulator, shipped_simulator
from handmade import (
    DETECTOR,
    C,
    K,
    Z,
    answer,
    graph,
    some_conditions,
    triples,
    write_simulator,
)


def test_stored_answers_are_written_by_the_oldest_numpy(monkeypatch, tmp_path):
    """Before 2.2 every keyword of the writer was an array; a fourth one cannot be read again."""
    given_names = []
    monkeypatch.setattr(np, "savez_compressed", lambda path, **arrays: given_names.extend(arrays))
    Reference(**triples()).write(tmp_path / "reference.npz")
    assert given_names == ["latent", "conditions", "response"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_simulator(tmp_path_factory.mktemp("by hand") / "simulator")


@pytest.fixture(scope="module")
def simulator(folder):
    return Simulator.load(folder)


def test_expected_cells_are_those_of_the_formula(simulator):
    rng = np.random.default_rng(1)
    latents, conditions = rng.normal(size=(37, Z)).astype(np.float32), some_conditions(37)
    expected = answer(latents, conditions)
    np.testing.assert_allclose(simulator.expected(latents, conditions), expected, atol=1e-5)
    assert simulator.check() < 1e-6
    assert (simulator.latent_size, simulator.sampling) == (Z, "rounding")


def test_showers_equal_a_loop_over_blocks(simulator):
    """The naive twin: one shower at a time from the streams of its block."""
    conditions = some_conditions(BLOCK + 3)
    generated = simulator.generate(conditions, seed=9)
    for block in (0, 1):
        latent_stream, count_stream = block_streams(9, block)
        latents = latent_stream.standard_normal((BLOCK, Z), dtype=np.float32)
        for place, row in enumerate(range(block * BLOCK, min((block + 1) * BLOCK, len(generated)))):
            (rates,) = simulator.expected(latents[place : place + 1], conditions[row : row + 1])
            up = count_stream.random(K, dtype=np.float32) < rates - np.floor(rates)
            np.testing.assert_array_equal(generated[row], np.floor(rates) + up)


@pytest.mark.parametrize("batch", [1, 7, 100, BLOCK])
def test_showers_do_not_depend_on_the_batch(simulator, batch):
    conditions = some_conditions(BLOCK + 100)
    whole = simulator.generate(conditions, seed=2)
    np.testing.assert_array_equal(simulator.generate(conditions, seed=2, batch=batch), whole)


def test_asking_for_more_keeps_the_first(simulator):
    conditions = some_conditions(1500)
    np.testing.assert_array_equal(
        simulator.generate(conditions[:1100], seed=4), simulator.generate(conditions, seed=4)[:1100]
    )
    other = simulator.generate(conditions[:1100], seed=5)
    assert (other != simulator.generate(conditions[:1100], seed=4)).any()


def test_a_shard_can_be_made_alone(simulator):
    conditions = some_conditions(10)
    pieces = {
        row: cells
        for rows, showers in simulator.batches(conditions, range(BLOCK, BLOCK + 50), seed=1)
        for row, cells in zip(rows, showers, strict=True)
    }
    cycled = conditions[np.arange(BLOCK + 50) % 10]
    whole = simulator.generate(cycled, seed=1)
    np.testing.assert_array_equal([pieces[row] for row in sorted(pieces)], whole[BLOCK:])
    with pytest.raises(UsageError):
        list(simulator.batches(conditions, range(1, 5), seed=1))


def test_integer_showers_keep_the_expected_mean(simulator):
    conditions = np.repeat(some_conditions(1), 4 * BLOCK, axis=0)
    counts = simulator.generate(conditions, seed=3).astype(np.float64)
    rates = np.concatenate(
        [
            simulator.expected(block_streams(3, b)[0].standard_normal((BLOCK, Z), np.float32), part)
            for b, part in enumerate(np.split(conditions, 4))
        ]
    )
    error = (counts - rates).std(axis=0) / np.sqrt(len(counts))
    assert np.all(np.abs((counts - rates).mean(axis=0)) < 4 * error + 1e-6)


def test_energies_are_written_as_expected(tmp_path):
    detector = DETECTOR.model_copy(update={"counts": False})
    record = json.loads(detector.model_dump_json())
    changes = {"detector": record, "sampling": "continuous"}
    simulator = Simulator.load(write_simulator(tmp_path / "simulator", **changes))
    generated = simulator.generate(some_conditions(5), seed=1)
    latents = block_streams(1, 0)[0].standard_normal((5, Z), dtype=np.float32)
    assert generated.dtype == np.float32
    np.testing.assert_allclose(generated, answer(latents, some_conditions(5)), atol=1e-5)


def test_poisson_simulators_draw_poisson_counts(tmp_path):
    simulator = Simulator.load(write_simulator(tmp_path / "simulator", sampling="poisson"))
    counts = simulator.generate(np.repeat(some_conditions(1), 500, axis=0), seed=1)
    rounded = Simulator.load(write_simulator(tmp_path / "other")).generate(
        np.repeat(some_conditions(1), 500, axis=0), seed=1
    )
    assert counts.dtype == np.uint16
    assert counts.var(axis=0).sum() > 1.5 * rounded.var(axis=0).sum()


def test_rows_outside_the_training_range_are_counted(simulator):
    conditions = some_conditions(20)
    assert simulator.outside(conditions) == {}
    conditions[:3, 0], conditions[5, 1] = 11, -1
    assert simulator.outside(conditions) == {"Energy": 3, "Px": 1}


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        (np.full((3, C), np.nan), "first Energy of row 0"),
        (np.array([[1, 1], [1, -1e300]]), "1 conditions are not finite, first Px of row 1"),
        (np.ones((3, C + 1)), "not \\(N, 2\\)"),
        (np.ones(3), "not \\(N, 2\\)"),
        (np.full((3, C), 1e30), "physical"),
    ],
)
def test_impossible_conditions_are_refused(simulator, conditions, says):
    with pytest.raises(DataError, match=says):
        simulator.generate(conditions, outside="ignore")


@pytest.mark.parametrize("batch", [0, -1, BLOCK + 1])
def test_impossible_batches_are_refused(simulator, batch):
    with pytest.raises(UsageError, match="a batch has 1 to 1024 showers"):
        simulator.generate(some_conditions(3), batch=batch)


def test_impossible_starts_and_seeds_are_refused(simulator):
    with pytest.raises(UsageError, match="showers start at a multiple of 1024, not at 512"):
        next(simulator.batches(some_conditions(3), range(512, 600), seed=0))
    for seed in (-1, 2**63):
        with pytest.raises(UsageError, match=f"seed {seed}: give a number of at least 0"):
            simulator.generate(some_conditions(3), seed=seed)


# ---- cards ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 3}, "version 3 is newer than 2: update"),
        ({"version": None}, "version None"),
        ({"format": "caloforge-showers"}, "no caloforge-simulator document"),
        ({"latent_size": Z + 1}, "latent is .* not float \\[any batch, 4\\]"),
        ({"latent_size": 0}, "latent_size"),
        ({"latent_law": "uniform"}, "latent_law"),
        ({"sampling": "continuous"}, "does not fit"),
        ({"sampling": "exec"}, "sampling"),
        ({"training_ranges": {"Energy": [0, 1]}}, "training_ranges must name"),
        ({"training_ranges": None}, "training_ranges"),
        ({"training_ranges": {"Energy": [9, 1], "Px": [0, 1]}}, "a range from 9 to 1"),
        ({"species": [2**40]}, "species"),
        ({"generator_sha256": "0" * 64}, "checksum"),
        ({"detector": {"name": "toy"}}, "detector"),
        ({"surprise": 1}, "surprise"),
        ({"recipe": {"run": "x"}}, "run: Input should be"),
        ({"recipe": {"run": {"data": []}}}, "run.data"),
    ],
)
def test_odd_cards_are_refused_in_one_line(tmp_path, changes, says):
    folder = write_simulator(tmp_path / "simulator", **changes)
    with pytest.raises(DataError, match=says) as failure:
        Simulator.load(folder)
    assert "\n" not in str(failure.value)
    assert str(folder) in str(failure.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"x"', "[" * 100_000, "\udcff"])
def test_cards_that_are_no_json_objects_are_refused(tmp_path, text):
    folder = write_simulator(tmp_path / "simulator")
    (folder / "simulator.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"simulator\.json"):
        Simulator.load(folder)


def test_missing_files_are_named(tmp_path):
    folder = write_simulator(tmp_path / "simulator")
    (folder / "generator.onnx").unlink()
    with pytest.raises(DataError, match=r"generator\.onnx: no such file"):
        Simulator.load(folder)
    (folder / "simulator.json").unlink()
    with pytest.raises(UsageError, match=r"it has no simulator\.json"):
        Simulator.load(folder)


def test_simulators_are_named_by_text_path_or_run(tmp_path):
    folder = write_simulator(tmp_path / "run" / "simulator")
    for source in (folder, str(folder), folder.parent, str(folder.parent)):
        assert Simulator.load(source).folder == folder
    assert Simulator.load("alice_zn").detector == Simulator.load(Path("alice_zn")).detector
    with pytest.raises(UsageError, match="no simulator nowhere ships; there are: alice_zn"):
        Simulator.load("nowhere")


QUALITY = {
    "against": "90 particles",
    "measurements": [
        {"name": "conditional W1", "value": 3.15, "error": 0.32, "floor": 2.36, "unit": "photons"}
    ],
    "accepted": False,
    "failed": ["occupancy"],
}


def test_cards_say_how_good_a_simulator_is(caloforge, tmp_path):
    folder = write_simulator(tmp_path / "run" / "simulator")
    code, out, _ = caloforge("data", "info", folder.parent)
    assert code == 0
    assert "quality: not evaluated" in out
    assert "Energy  0 to 10 GeV" in out
    card = json.loads((folder / "simulator.json").read_text())
    more = {"version": 2, "quality": QUALITY, "weaknesses": ["too few bright cells"]}
    more |= {"species": [22], "cpu_seconds": 12.0}
    (folder / "simulator.json").write_text(json.dumps(card | more))
    code, out, _ = caloforge("data", "info", folder)
    assert re.search(r"conditional W1 \[photons\] +3\.15 ± 0\.32 +2\.36\n", out)
    assert "gate: REJECTED: occupancy" in out
    assert "weakness: too few bright cells" in out
    assert "species     22 (PDG numbers)" in out
    code, out, log = caloforge("export", folder, "--target", "triton", "--out", tmp_path / "bundle")
    assert code == 0
    assert "the gate: REJECTED: occupancy" in log
    bundle = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert bundle["quality"]["accepted"] is False
    assert bundle["weaknesses"] == ["too few bright cells"]
    assert "REJECTED" in (tmp_path / "bundle" / "README.md").read_text()
    code, out, _ = caloforge("data", "info", "atlas_em/eplus")
    assert "R² of theta, generated over real" in out
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = caloforge("data", "info", "alice_zn", "--json")
    assert json.loads(out)["rows"] == 12264
    code, out, _ = caloforge("data", "info", "simulator/alice_zn", "--json")
    assert json.loads(out)["species"] == [-211, 22, 130, 211, 2112, 2212]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quality": {"against": "x", "measurements": [{"name": "W1"}]}}, "quality.*value"),
        (
            {"training_ranges": {"Energy": [0, float("inf")], "Px": [0, 10]}},
            "Infinity is no number",
        ),
        ({"sampling": {"law": "negative-binomial", "excess": -1}}, "sampling"),
        ({"species": ["neutron"]}, "species"),
    ],
)
def test_new_parts_of_cards_are_checked(tmp_path, changes, says):
    folder = write_simulator(tmp_path / "simulator")
    card = json.loads((folder / "simulator.json").read_text())
    (folder / "simulator.json").write_text(json.dumps(card | {"version": 2} | changes))
    with pytest.raises(DataError, match=says):
        Simulator.load(folder)


# ---- graphs --------------------------------------------------------------------------------


def with_external_data():
    model = graph()
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")
    return model


def with_nested_external_data():
    model = graph()
    hidden = with_external_data().graph.initializer[0]
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=hidden))
    return model


def with_custom_operator():
    model = graph()
    model.graph.node[-1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


def with_microsoft_operator():
    model = graph()
    model.graph.node.append(helper.make_node("Gelu", ["sum"], ["g"], domain="com.microsoft"))
    return model


def with_function():
    model = graph()
    node, opset = helper.make_node("Relu", ["x"], ["y"]), helper.make_opsetid("", 17)
    model.functions.append(helper.make_function("", "Own", ["x"], ["y"], [node], [opset]))
    return model


def with_hidden_branch():
    """A custom operator inside the branch of an If."""
    model = graph()
    bad = helper.make_node("Evil", [], ["out"], domain="org.evil")
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])
    branch = helper.make_graph([bad], "branch", [], [out])
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["z"], then_branch=branch, else_branch=branch)
    )
    return model


def with_newer_opset():
    model = graph()
    model.opset_import[0].version = 999
    return model


def with_double_ports():
    model = graph()
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.elem_type = TensorProto.DOUBLE
    for number in (0, 1):
        weight = numpy_helper.to_array(model.graph.initializer[number]).astype(np.float64)
        tensor = numpy_helper.from_array(weight, model.graph.initializer[number].name)
        model.graph.initializer[number].CopyFrom(tensor)
    return model


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (with_external_data(), "other files"),
        (with_nested_external_data(), "other files"),
        (with_custom_operator(), "com.example"),
        (with_microsoft_operator(), "com.microsoft:Gelu"),
        (with_hidden_branch(), "org.evil:Evil"),
        (with_function(), "functions"),
        (with_newer_opset(), "opset 999.*newest.*17"),
        (with_double_ports(), "tensor\\(double\\)"),
        (graph(showers=[4, K]), "any batch"),
        (graph(conditions=["batch", C, 1]), "generator.onnx"),
        (b"", "generator.onnx"),
        (b"not protobuf at all", "ONNX"),
        (graph().SerializeToString()[:-40], "ONNX"),
        (b"\x18\x00\x00\x00ORTM" + bytes(64), "onnxruntime's own format"),
    ],
)
def test_foreign_graphs_are_refused_in_one_line(tmp_path, model, says):
    folder = write_simulator(tmp_path / "simulator", model)
    with pytest.raises(DataError, match=says) as failure:
        Simulator.load(folder)
    assert "\n" not in str(failure.value)


def test_ports_of_other_names_are_refused(tmp_path):
    model = graph()
    model.graph.input[0].name = "noise"
    model.graph.node[0].input[0] = "noise"
    folder = write_simulator(tmp_path / "simulator", model)
    with pytest.raises(DataError, match=r"\['conditions', 'noise', 'showers'\]"):
        Simulator.load(folder)


def test_a_graph_that_answers_other_rows_is_refused(tmp_path):
    model = graph()
    model.graph.node[-1].output[0] = "once"
    model.graph.node.append(helper.make_node("Concat", ["once", "once"], ["showers"], axis=0))
    with pytest.raises(DataError, match="answers 64 rows by"):
        Simulator.load(write_simulator(tmp_path / "simulator", model))


def constant(model, name, values):
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name


def endless_loop():
    model = graph()
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"])],
        "body",
        [
            helper.make_tensor_value_info("trip", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("goes", TensorProto.BOOL, [])],
    )
    trips, go = constant(model, "trips", np.int64(2**62)), constant(model, "true", np.bool_(True))
    model.graph.node.insert(0, helper.make_node("Loop", [trips, go], [], body=body))
    return model


def filled(elements):
    """A constant of that size, whose sum goes into the cells: folded when the graph is loaded."""
    model = graph()
    size = constant(model, "size", np.array([elements], np.int64))
    model.graph.node[-1].output[0] = "once"
    model.graph.node.extend(
        [
            helper.make_node("ConstantOfShape", [size], ["large"]),
            helper.make_node("ReduceSum", ["large"], ["much"], keepdims=0),
            helper.make_node("Add", ["once", "much"], ["showers"]),
        ]
    )
    return model


def doubling(times):
    """Memory that grows as 2^times from a few nodes of ordinary kinds."""
    model = graph()
    model.graph.node[-1].output[0] = "x0"
    for n in range(times):
        node = helper.make_node("Concat", [f"x{n}", f"x{n}"], [f"x{n + 1}"], axis=0)
        model.graph.node.append(node)
    model.graph.node.append(helper.make_node("Identity", [f"x{times}"], ["showers"]))
    return model


@pytest.mark.parametrize(
    ("model", "says"),
    [(endless_loop(), "operator Loop"), (filled(2**33), "fails|alloc"), (doubling(34), "fails")],
    ids=["loop", "constant", "doubling"],
)
def test_bombs_are_refused_in_little_memory_and_time(tmp_path, model, says):
    folder = write_simulator(tmp_path / "simulator", model)
    code = (
        "import sys, time\n"
        "from caloforge.cli import main\n"
        "from caloforge.machine import peak_memory_mb\n"
        "code = main(['check', sys.argv[1]])\n"
        "print(peak_memory_mb(), time.process_time())\n"
        "sys.exit(code)"
    )
    process = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True)
    assert process.returncode == 3, process.stderr
    assert re.search(says, process.stderr)
    assert len(process.stderr.splitlines()) == 1
    megabytes, seconds = map(float, process.stdout.split())
    assert megabytes < 1000
    assert seconds < 30


def pooled():
    """One operator that would take hours: means over half of a long axis, at each place of it."""
    model = graph()
    model.graph.node[-1].output[0] = "once"
    shape = constant(model, "shape", np.array([1, 1, 20_000_000], np.int64))
    model.graph.node.extend(
        [
            helper.make_node("ConstantOfShape", [shape], ["long"]),
            helper.make_node("AveragePool", ["long"], ["means"], kernel_shape=[10_000_000]),
            helper.make_node("ReduceSum", ["means"], ["much"], keepdims=0),
            helper.make_node("Add", ["once", "much"], ["showers"]),
        ]
    )
    return model


def test_a_single_operator_that_takes_hours_is_left(tmp_path):
    code = (
        "import sys\n"
        "from caloforge.cli import main\n"
        "from caloforge.simulator import limits\n"
        "limits.FIRST_RUN_SECONDS = 0.2\n"
        "sys.exit(main(['check', sys.argv[1]]))"
    )
    folder = write_simulator(tmp_path / "simulator", pooled())
    process = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True)
    assert process.returncode == 3, process.stderr
    assert re.fullmatch("caloforge: .*it takes longer than 0 seconds\n", process.stderr)


def test_facts_equal_those_that_onnx_reads():
    model = with_hidden_branch()
    facts = read_facts(model.SerializeToString(), "here")
    assert facts.ir_version == model.ir_version == 8
    assert facts.opsets == {"": 17}
    operators = {(node.domain, node.op_type) for node in model.graph.node}
    assert facts.operators == operators | {("org.evil", "Evil")}


def test_endless_nesting_is_refused():
    message = b""
    for field in [*20 * [6, 5, 1], 7]:  # a graph in an attribute in a node in a graph ...
        size = bytes([len(message) & 0x7F | 0x80, len(message) >> 7])
        message = bytes([field << 3 | 2]) + size + message
    with pytest.raises(DataError, match="too deep"):
        read_facts(message, "here")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=80), st.integers(0, 600), st.integers(0, 255))
def test_any_bytes_are_read_or_refused(noise, place, byte):
    good = bytearray(graph().SerializeToString())
    good[place % len(good)] = byte
    for model in (noise, bytes(good), bytes(good[: place % len(good)])):
        with contextlib.suppress(DataError):
            refuse_foreign(read_facts(model, "here"), "here")


# ---- stored answers ------------------------------------------------------------------------


def test_another_answer_is_noticed(tmp_path):
    folder = write_simulator(tmp_path / "simulator")
    wrong = triples()
    wrong["response"][3, 2] += 0.01
    np.savez(folder / "reference.npz", **wrong)
    with pytest.raises(DataError, match="deviates"):
        Simulator.load(folder).check()


def bomb():
    """An npy head that promises 8 TB."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f4", "fortran_order": False, "shape": (2**20, 2**21)}
    )
    return head.getvalue()


@pytest.mark.parametrize(
    ("name", "member", "says"),
    [
        ("latent", pickle.dumps([1]), "no file of reference triples"),
        ("latent", bomb(), "claims 8796093022208 bytes"),
        ("response", bytes(10**6), "no file of reference triples"),
        ("response", b"", "no file of reference triples"),
        ("other", b"", "holds"),
    ],
)
def test_hostile_answers_are_refused(tmp_path, name, member, says):
    folder = write_simulator(tmp_path / "simulator")
    simulator = Simulator.load(folder)
    members = {f"{key}.npy": io.BytesIO() for key in triples()}
    for key, array in triples().items():
        np.save(members[f"{key}.npy"], array)
    answers = {key: stream.getvalue() for key, stream in members.items()} | {f"{name}.npy": member}
    with zipfile.ZipFile(folder / "reference.npz", "w") as archive:
        for key, content in answers.items():
            archive.writestr(key, content)
    with pytest.raises(DataError, match=says):
        simulator.check()


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t | {"latent": np.array([[object()]] * 16)},
        lambda t: t | {"latent": t["latent"].astype(np.float64)},
        lambda t: t | {"latent": np.asfortranarray(t["latent"])},
        lambda t: t | {"response": t["response"][:8]},
        lambda t: t | {"response": np.full_like(t["response"], np.nan)},
    ],
)
def test_answers_of_another_kind_are_refused(tmp_path, change):
    folder = write_simulator(tmp_path / "simulator")
    np.savez(folder / "reference.npz", **change(triples()))
    with pytest.raises(DataError, match="no file of reference triples"):
        Simulator.load(folder).check()


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"no zip"])
def test_damaged_answers_are_refused(tmp_path, content):
    folder = write_simulator(tmp_path / "simulator")
    path = folder / "reference.npz"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=r"reference\.npz"):
        Simulator.load(folder).check()


# ---- where a simulator lies, and what loading one imports -----------------------------------


def test_simulators_are_found_in_runs_too(folder, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "simulator").symlink_to(folder)
    assert find_simulator(str(folder)) == folder
    assert find_simulator(str(run)) == run / "simulator"
    with pytest.raises(UsageError, match=r"has no simulator\.json"):
        find_simulator(str(tmp_path))
    with pytest.raises(UsageError, match="no simulator nowhere ships"):
        find_simulator("nowhere")
    with pytest.raises(UsageError, match="ships"):
        shipped_simulator("../simulators")


def test_loading_and_generating_need_no_torch(folder):
    program = f"""
import sys, pathlib, numpy
for name in ("torch", "scipy", "matplotlib", "onnx", "pandas"):
    sys.modules[name] = None
from caloforge.simulator import Simulator
simulator = Simulator.load(pathlib.Path({str(folder)!r}))
simulator.check()
print(simulator.generate(numpy.ones((5, {C}))).sum())
"""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert int(process.stdout) > 0


def test_the_card_names_the_detector(simulator, folder):
    assert simulator.detector == DETECTOR
    assert json.loads((folder / "simulator.json").read_text())["recipe"] == {"name": "by hand"}
