"""Benchmarks: pairing of ratios, counts of operations, comparison of runs, real small runs."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.operations import multiply_adds
from benchmarks.report import Benchmark, Row, read_benchmark, require_no_loss
from benchmarks.timing import Spread, Timings, take_turns
from caloforge.detectors import ALICE_ZN, ATLAS_EM
from caloforge.errors import DataError, GateFailed, UsageError
from caloforge.networks.generators import GeneratorConfig
from caloforge.reporter import to_json
from caloforge.simulator.shipped import shipped_simulator


def test_contenders_take_turns_and_the_first_round_does_not_count():
    calls = []
    work = {name: (lambda name=name: calls.append(name)) for name in ("a", "b")}
    timings = take_turns(work, 3)
    assert calls == ["a", "b"] * 4
    assert {name: len(actual) for name, actual in timings.seconds.items()} == {"a": 3, "b": 3}


def test_ratios_are_paired_within_rounds():
    timings = Timings({"slow": [2.0, 40.0, 6.0], "fast": [1.0, 10.0, 2.0]})
    assert timings.ratio("slow", "fast") == Spread.of([2.0, 4.0, 3.0])
    assert timings.ratio("slow", "fast").median == 3.0
    assert timings.median("slow") == 6.0


def small_graph():
    """(1, 3 + 2) @ (5, 8), then 2 channels of 2 x 2, 3 x 1 x 2 kernels, then a product."""
    weights = {
        "w": np.zeros((5, 8), np.float32),
        "k": np.zeros((3, 2, 1, 2), np.float32),
        "m": np.zeros((6, 4), np.float32),
        "s": np.array([-1, 2, 2, 2]),
        "f": np.array([-1, 6]),
    }
    nodes = [
        helper.make_node("Concat", ["latent", "conditions"], ["x"], axis=1),
        helper.make_node("Gemm", ["x", "w"], ["h"]),
        helper.make_node("Reshape", ["h", "s"], ["i"]),
        helper.make_node("Conv", ["i", "k"], ["c"]),
        helper.make_node("Reshape", ["c", "f"], ["g"]),
        helper.make_node("MatMul", ["g", "m"], ["showers"]),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in (("latent", 3), ("conditions", 2), ("showers", 4))
    ]
    initialisers = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "small", ports[:2], ports[2:], initialisers)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def test_operations_are_counted_by_hand():
    onnx_model = small_graph()
    onnx.checker.check_model(onnx_model)
    dense, convolution, product = 5 * 8, 3 * 2 * 1 * (2 * 1 * 2), 6 * 4
    assert multiply_adds(onnx_model.SerializeToString()) == dense + convolution + product


def benchmark(**ratios):
    rows = [
        Row(name=name, batch=32, microseconds=1.0, ratio=ratio) for name, ratio in ratios.items()
    ]
    return Benchmark("speed", rows)


def test_a_lost_ratio_fails_and_noise_does_not(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(to_json(benchmark(light=100.0, o2=1000.0).record()))
    lines = require_no_loss(benchmark(light=85.0, o2=2000.0, new=1.0), path)
    assert lines == [
        "light, batch 32: 0.85 of the ratio in old.json",
        "o2, batch 32: 2.00 of the ratio in old.json",
    ]
    with pytest.raises(GateFailed, match=r"slower than before: light, batch 32: 0\.79 of"):
        require_no_loss(benchmark(light=79.0, o2=1000.0), path)


def test_runs_without_a_common_ratio_are_not_compared(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(to_json(benchmark(light=100.0).record()))
    with pytest.raises(DataError, match="no ratio in common"):
        require_no_loss(benchmark(other=1.0), path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no json", "cannot be read"),
        ('{"format": "else"}', "is no benchmark"),
        ('{"format": "caloforge-bench", "version": 9}', "version 9: update"),
    ],
)
def test_foreign_benchmarks_are_refused(tmp_path, text, says):
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(DataError, match=says):
        read_benchmark(tmp_path / "old.json")


def test_a_record_names_the_machine(tmp_path):
    record = json.loads(to_json(benchmark(light=3.0).record()))
    assert record["machine"]["processor"]
    assert record["machine"]["packages"]["numpy"] == np.__version__
    assert record["rows"][0]["ratio"] == 3.0


def test_every_speed_states_its_quality_or_that_there_is_none():
    from benchmarks.report import cells

    row = Row("light", 256, 76.0, ratio=137.0, sgemm_share=0.68, quality="not trained")
    assert cells(row) == ("light", "256", "76", "137", "", "68 %", "", "not trained")


def test_the_quality_of_a_network_is_that_of_its_runs():
    from benchmarks.quality import NOT_TRAINED, quality_of, trained

    evaluated = {one["recipe"]["generator"]["kind"] for one in trained(ALICE_ZN)}
    for kind in ("profile", "light", "reference"):
        shown = quality_of(ALICE_ZN, GeneratorConfig(kind=kind))
        assert (shown != NOT_TRAINED) == (kind in evaluated)
    runs = [one for one in trained(ALICE_ZN) if one["method"] == "dcgan"]
    mean = np.mean([one["test"]["conditional_w1"]["value"] for one in runs])
    shown = quality_of(ALICE_ZN, GeneratorConfig(kind="profile"), ["dcgan"])
    assert shown.startswith(f"W1 {mean:.2f} ±")
    assert shown.endswith(", dcgan")
    layered = [GeneratorConfig(kind="layered", attention=False, blur=blur) for blur in ((), (1,))]
    qualities = [quality_of(ATLAS_EM, config) for config in layered]
    assert qualities[0].startswith("AUC 0.")
    assert qualities[1] == NOT_TRAINED


def test_a_production_measures_itself():
    from benchmarks.tasks import production, stages

    folder = str(shipped_simulator("alice_zn"))
    generated = production(folder, "onnxruntime", "portable", 1024)
    assert 0 < generated["microseconds"] < 1e5
    assert 50 < generated["bytes"] < 2000
    parts = stages(folder, "onnxruntime", "portable")
    assert set(parts) == {"latents", "conditions", "network", "counts", "sums and writing"}


@pytest.mark.slow
def test_the_verbs_run(bench, tmp_path):
    out = tmp_path / "train.json"
    code, output, _ = bench("train", "--rounds", 2, "--out", out, "-q", "--json")
    assert code == 0
    assert json.loads(output)["rows"][0]["ratio"] == 1.0
    assert read_benchmark(out)["what"] == "train"
    code, output, _ = bench("end-to-end", "-n", 2048, "-q", "--no-workers")
    assert code == 0
    assert "all but the network" in output


@pytest.mark.slow
def test_rewritten_graphs_are_faster_and_answer_alike():
    from benchmarks.contenders import bench_speed

    actual = bench_speed(rounds=3, batches=(32,))
    rows = {row.name: row for row in actual.rows}
    best = max(row.ratio for row in actual.rows if row.name.startswith("reference rewritten"))
    assert best > 2
    assert all(row.error < 1e-5 for row in actual.rows if row.error is not None)
    assert rows["light, onnxruntime"].ratio > 20
    assert rows["profile, onnxruntime"].quality.startswith("W1 ")
    assert rows["reference rewritten, onnxruntime"].quality == "the same function"


@pytest.mark.slow
def test_light_layers_are_twenty_times_faster_than_calogan():
    """One shower at a time, one thread; that it is as good is what validation says."""
    from benchmarks.contenders import bench_speed

    rows = {row.name: row for row in bench_speed("atlas_em", rounds=3, batches=(1,)).rows}
    assert rows["reference rewritten, onnxruntime"].error < 1e-4
    assert rows["layered, onnxruntime"].ratio > 20
    assert rows["layered, onnxruntime"].quality.startswith("AUC ")


def test_a_contest_needs_a_published_generator():
    from benchmarks.contenders import bench_speed

    with pytest.raises(UsageError, match="no published generator of points: there are alice_zn"):
        bench_speed("points")
