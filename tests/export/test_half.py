"""Weights in half precision: half the file, the same showers within a thousandth."""

import numpy as np
import onnx
import pytest

from caloforge.detectors import ALICE_ZN
from caloforge.errors import CaloforgeError
from caloforge.export.half_precision import half_graph, halve
from caloforge.simulator import GRAPH, Simulator
from exported import NEUTRONS, write_linear_simulator


def test_the_shipped_simulator_halves_and_answers_alike(caloforge, tmp_path):
    code, out, _ = caloforge("export", "alice_zn", "--target", "half", "--out", tmp_path / "half")
    assert code == 0
    assert "bytes" in out
    whole, half = Simulator.load("alice_zn"), Simulator.load(tmp_path / "half")
    sizes = [(one.folder / GRAPH).stat().st_size for one in (whole, half)]
    assert sizes[1] < 0.55 * sizes[0]
    answers = half.expected(whole.reference.latent, whole.reference.conditions)
    assert 0 < whole.reference.difference(answers) < 1e-3
    assert half.card.sampling == whole.card.sampling
    assert half.card.provenance["precision"] == "float16 weights"
    assert whole.card.quality is not None
    assert half.card.quality is None, "it was measured of the other graph"
    assert half.card.weaknesses == ()
    onnx.checker.check_model(onnx.load(half.folder / GRAPH), full_check=True)


def test_weights_that_half_precision_cannot_hold_stay(tmp_path):
    constant = np.full(ALICE_ZN.cells, 1e5)
    linear_simulator = write_linear_simulator(tmp_path / "large", ALICE_ZN, constant)
    graph = onnx.load_from_string(half_graph((linear_simulator.folder / GRAPH).read_bytes())).graph
    types = {weight.name: weight.data_type for weight in graph.initializer}
    assert types["c"] == onnx.TensorProto.FLOAT


def test_answers_that_move_too_far_are_refused(tmp_path):
    per_condition = np.zeros((9, ALICE_ZN.cells))
    per_condition[0], per_condition[6] = 1000.3, -1000.0  # a small difference of large numbers
    linear_simulator = write_linear_simulator(
        tmp_path / "made",
        ALICE_ZN,
        np.zeros(ALICE_ZN.cells),
        per_condition=per_condition,
        conditions=NEUTRONS[[0, 2]],
    )
    with pytest.raises(CaloforgeError, match="half precision moves cells"):
        halve(linear_simulator, tmp_path / "half")
    assert not (tmp_path / "half").exists()
