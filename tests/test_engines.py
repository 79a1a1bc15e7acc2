"""Engines that run a graph: the same answers, one choice between them, nothing foreign."""

import json

import h5py
import numpy as np
import onnx
import pytest
from onnx import helper

from caloforge.errors import DataError, UsageError
from caloforge.simulator import Simulator, engine_choice
from caloforge.simulator.engine_choice import EngineChoice, choose_engine
from caloforge.simulator.engines import ENGINES, installed_engines
from caloforge.simulator.shipped import shipped_simulator, shipped_simulators
from extras import needs
from handmade import answer, graph, some_conditions, triples, write_simulator


@pytest.fixture
def folder(tmp_path):
    return write_simulator(tmp_path / "simulator")


def fake_times(monkeypatch, **seconds):
    """Engines that are both onnxruntime, and how long they shall have taken."""
    for name in seconds:
        monkeypatch.setitem(ENGINES, name, ENGINES["onnxruntime"])
    monkeypatch.setattr(engine_choice, "installed_engines", lambda: list(seconds))
    times = iter([seconds[name] for _ in range(engine_choice.ROUNDS + 1) for name in seconds])
    monkeypatch.setattr(engine_choice, "_seconds", lambda *_: next(times))


def test_a_clearly_faster_engine_is_chosen(folder, monkeypatch):
    fake_times(monkeypatch, onnxruntime=1.0, other=0.5)
    choice = choose_engine(folder, batch=100)
    assert choice == EngineChoice("other", {"onnxruntime": 1e4, "other": 5e3})
    assert str(choice) == "engine: other (us a shower: onnxruntime 10000.0, other 5000.0)"


def test_a_slightly_faster_engine_is_not(folder, monkeypatch):
    fake_times(monkeypatch, onnxruntime=1.0, other=0.95)
    assert choose_engine(folder).name == "onnxruntime"


def test_one_engine_is_not_measured(folder, monkeypatch):
    fake_times(monkeypatch, onnxruntime=1.0)
    choice = choose_engine(folder)
    assert choice.microseconds == {}
    assert str(choice) == "engine: onnxruntime"


def test_a_measurement_takes_real_time(folder):
    names = installed_engines()
    assert names[0] == "onnxruntime"
    choice = choose_engine(folder, batch=64)
    assert set(choice.microseconds) == (set(names) if len(names) > 1 else set())
    assert all(value > 0 for value in choice.microseconds.values())


def test_an_unknown_engine_is_named(folder):
    with pytest.raises(UsageError, match="no engine abacus; there are onnxruntime, openvino"):
        Simulator.load(folder, engine="abacus")


# ---- OpenVINO ------------------------------------------------------------------------------------


@pytest.mark.extras
def test_openvino_gives_the_same_answers(folder):
    needs("openvino")
    simulator = Simulator.load(folder, engine="openvino")
    assert simulator.engine.name.startswith("openvino 20")
    assert simulator.check() < 1e-6
    reference = triples()
    for rows in (1, 3, 16):
        actual = simulator.expected(reference["latent"][:rows], reference["conditions"][:rows])
        expected = answer(reference["latent"][:rows], reference["conditions"][:rows])
        np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.extras
def test_openvino_gives_the_shipped_answers():
    needs("openvino")
    for name in shipped_simulators():
        assert Simulator.load(shipped_simulator(name), engine="openvino").check() < 1e-5


@pytest.mark.extras
def test_answers_of_openvino_outlive_the_next_run(folder):
    needs("openvino")
    simulator = Simulator.load(folder, engine="openvino")
    reference = triples()
    first = simulator.expected(reference["latent"], reference["conditions"])
    copy = first.copy()
    simulator.expected(reference["latent"] * 2, reference["conditions"])
    np.testing.assert_array_equal(first, copy)


@pytest.mark.extras
def test_openvino_reads_an_output_that_passes_through(tmp_path):
    needs("openvino")
    onnx_model = graph()
    onnx_model.graph.node[-1].output[0] = "before"
    onnx_model.graph.node.append(helper.make_node("Identity", ["before"], ["showers"]))
    onnx.checker.check_model(onnx_model)
    folder = write_simulator(tmp_path / "simulator", onnx_model)
    assert Simulator.load(folder, engine="openvino").check() < 1e-6


@pytest.mark.extras
@pytest.mark.parametrize("port", ["latent", "conditions"])
def test_openvino_refuses_other_ports(tmp_path, port):
    needs("openvino")
    folder = write_simulator(tmp_path / "simulator", graph(**{port: ["batch", None]}))
    with pytest.raises(DataError, match=port):
        Simulator.load(folder, engine="openvino")


@pytest.mark.extras
def test_openvino_refuses_a_damaged_graph(tmp_path):
    needs("openvino")
    whole = graph().SerializeToString()
    cut = whole.replace(b"MatMul", b"MetMul")
    folder = write_simulator(tmp_path / "simulator", cut)
    with pytest.raises(DataError, match=r"generator\.onnx"):
        Simulator.load(folder, engine="openvino")


@pytest.mark.extras
def test_openvino_generates_what_onnxruntime_does(caloforge, folder, tmp_path, like):
    needs("openvino")
    cells = {}
    for engine in ("openvino", "onnxruntime"):
        out = tmp_path / f"{engine}.h5"
        command = ("generate", folder, "--like", like, "-n", 3000, "--out", out, "-q", "--json")
        code, output, _ = caloforge(*command, "--engine", engine)
        assert code == 0
        assert json.loads(output)["engine"].startswith(engine)
        with h5py.File(out) as file:
            assert file.attrs["runtime"].startswith(engine.encode())
            cells[engine] = file["showers/front"][:].astype(int)
    different = cells["openvino"] != cells["onnxruntime"]
    assert different.mean() < 1e-4  # ties of rounding
    assert np.abs(cells["openvino"] - cells["onnxruntime"]).max() <= 1


@pytest.fixture
def like(tmp_path):
    from caloforge.data.showers import ShowerWriter
    from handmade import DETECTOR, K

    conditions = some_conditions(20)
    with ShowerWriter(tmp_path / "like.h5", DETECTOR, {}, columns=()) as writer:
        writer.append(np.ones((20, K), np.uint16), conditions, np.arange(20))
    return tmp_path / "like.h5"
