"""8-bit products: refused unless the channel sums hardly move."""

import hashlib
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from caloforge.errors import GateFailed, UsageError
from caloforge.export import int8
from caloforge.export.int8 import Int8Result, floor_of, int8_graph, quantise
from caloforge.simulator import Simulator
from caloforge.simulator.onnx_safety import read_facts, refuse_foreign
from handmade import C, K, Z, some_conditions, write_simulator


def layered_graph(rng):
    """Three dense layers, of which the middle one may be 8-bit."""
    sizes = ((Z + C, 24), (24, 24), (24, K))
    weights = {f"w{i}": rng.normal(0, 0.3, size).astype(np.float32) for i, size in enumerate(sizes)}
    weights |= {f"b{i}": rng.uniform(0, 1, n).astype(np.float32) for i, (_, n) in enumerate(sizes)}
    nodes = [helper.make_node("Concat", ["latent", "conditions"], ["h0"], axis=1)]
    for i in range(3):
        nodes.append(helper.make_node("Gemm", [f"h{i}", f"w{i}", f"b{i}"], [f"g{i}"]))
        nodes.append(helper.make_node("Relu", [f"g{i}"], ["showers" if i == 2 else f"h{i + 1}"]))
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in (("latent", Z), ("conditions", C), ("showers", K))
    ]
    initialisers = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "layers", ports[:2], ports[2:], initialisers)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


@pytest.fixture
def simulator(tmp_path, rng):
    from caloforge.simulator.engines import OnnxRuntime

    onnx_model = layered_graph(rng)
    folder = write_simulator(tmp_path / "simulator", onnx_model)
    arrays = dict(np.load(folder / "reference.npz"))
    engine = OnnxRuntime(onnx_model.SerializeToString(), 1, "layers")
    arrays["response"] = engine.run(arrays["latent"], arrays["conditions"])
    np.savez(folder / "reference.npz", **arrays)
    int8_simulator = Simulator.load(folder)
    int8_simulator.check()
    return int8_simulator


def write_real(path, simulator, factor):
    """Showers that a better simulator would make: channel sums larger by a factor."""
    from caloforge.data.showers import ShowerWriter

    conditions = np.repeat(some_conditions(300), 4, axis=0)
    cells = simulator.generate(conditions, seed=99)
    cells = np.rint(cells * factor).astype(np.uint16)
    particle = np.repeat(np.arange(300), 4)
    with ShowerWriter(path, simulator.detector, {}, columns=()) as writer:
        writer.append(cells, conditions, particle)
    return path


def test_a_harmless_int8_simulator_is_written(caloforge, simulator, tmp_path):
    real = write_real(tmp_path / "real.h5", simulator, 1.5)
    out = tmp_path / "int8"
    command = ("export", simulator.folder, "--target", "int8", "--showers", real, "--out", out)
    code, output, log = caloforge(*command, "--json", "-q")
    assert (code, log) == (0, "")
    record = json.loads(output)
    assert record["passed"]
    assert record["showers"] == 50_000
    assert record["excess"] == pytest.approx(record["float32"] - record["floor"])
    fast = Simulator.load(out)
    assert fast.check() == 0
    assert fast.card.provenance["precision"] == "int8"
    assert (
        fast.card.generator_sha256
        == hashlib.sha256((out / "generator.onnx").read_bytes()).hexdigest()
    )
    reference = simulator.reference
    deviation = reference.difference(fast.expected(reference.latent, reference.conditions))
    assert 0 < deviation < 0.05


def test_only_products_between_products_are_quantised(simulator):
    model = (simulator.folder / "generator.onnx").read_bytes()
    graph = int8_graph(model, simulator, some_conditions(50))
    refuse_foreign(read_facts(graph, "graph"), "graph")
    loaded_model = onnx.load_model_from_string(graph)
    weights = {weight.name: weight.data_type for weight in loaded_model.graph.initializer}
    whole = [name for name in weights if name.startswith("w1") and "quant" in name]
    assert whole
    assert weights["w0"] == weights["w2"] == TensorProto.FLOAT
    assert any(weights[name] == TensorProto.INT8 for name in whole)


def test_int8_is_refused_when_the_sums_move(simulator, tmp_path, monkeypatch):
    real = write_real(tmp_path / "real.h5", simulator, 1.0)
    monkeypatch.setattr(int8, "int8_graph", _too_large)
    with pytest.raises(GateFailed, match=r"int8 is refused: W1 of 50000 showers: float32"):
        quantise(simulator, real, tmp_path / "int8")
    assert not (tmp_path / "int8").exists()


def _too_large(model, simulator, conditions):
    """A graph whose last weights are a fifth too large."""
    loaded_model = onnx.load_model_from_string(model)
    for weight in loaded_model.graph.initializer:
        if weight.name in ("w2", "b2"):
            values = numpy_helper.to_array(weight) * np.float32(1.2)
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return loaded_model.SerializeToString()


def test_few_showers_are_refused(simulator, tmp_path):
    with pytest.raises(UsageError, match="at least 50000"):
        quantise(simulator, tmp_path / "real.h5", tmp_path / "int8", showers=49_999)


def test_the_gate_is_a_tenth_of_the_excess():
    assert Int8Result(50_000, floor=1.0, float32=2.0, int8=2.099).passed
    assert Int8Result(50_000, floor=1.0, float32=2.0, int8=1.901).passed
    assert not Int8Result(50_000, floor=1.0, float32=2.0, int8=2.101).passed


def test_a_simulator_at_the_floor_may_move_by_a_tenth_of_its_error():
    assert Int8Result(50_000, 1.0, 0.9, 0.9).passed, "no change at all"
    assert Int8Result(50_000, 1.0, 0.9, 0.909, floor_error=0.1).passed
    assert not Int8Result(50_000, 1.0, 0.9, 0.911, floor_error=0.1).passed
    moved = Int8Result(50_000, 1.0, 0.9, 0.95, floor_error=0.1)
    assert f"a change of 0.05, allowed {moved.allowed:.2g} (" in str(moved)
    assert moved.record()["allowed"] == moved.allowed == pytest.approx(0.01)


def test_the_floor_is_what_a_perfect_simulator_would_show(rng):
    real, perfect = rng.normal(0, 3, (2000, 2)), rng.normal(0, 3, (100_000, 2))
    from caloforge.evaluate.metrics.wasserstein import w1_channels

    output = [w1_channels(rng.normal(0, 3, (2000, 2)), perfect).mean() for _ in range(20)]
    floor, error = floor_of(real, rng)
    assert floor == pytest.approx(np.mean(output), rel=0.3)
    assert error == pytest.approx(np.std(output), rel=0.7)
