"""A simulator folder written by hand: raw JSON, onnx.helper and numpy, never our exporter.

The detector has two layers and two conditions; the graph computes
``max(latent @ A + conditions @ B, 0)`` with weights that the tests know.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from caloforge.detector import Condition, Detector, Layer
from caloforge.detector.features import Feature
from caloforge.detector.readout import Channels

Z, C, K = 3, 2, 16
DETECTOR = Detector(
    name="toy",
    title="two small planes",
    quantity="photons",
    unit="counts",
    counts=True,
    layers=(
        Layer(name="front", shape=(4, 3), cell_mm=(1.0, 1.0)),
        Layer(name="back", shape=(2, 2), cell_mm=(2.0, 2.0)),
    ),
    conditions=(Condition(name="Energy", unit="GeV"), Condition(name="Px", unit="GeV/c")),
    features=(Feature(name="Energy", kind="value", of=("Energy",)),),
    channels=(
        Channels(
            scheme="halves",
            labels=("left", "right"),
            of_cell=tuple(cell % 2 for cell in range(K)),
            source="tests",
        ),
    ),
)


def weights() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights of latents and of conditions.  (Z, K), (C, K)"""
    rng = np.random.default_rng(7)
    latent = rng.normal(0, 0.3, (Z, K)).astype(np.float32)
    return latent, rng.uniform(0, 0.5, (C, K)).astype(np.float32)


def answer(latent: NDArray[Any], conditions: NDArray[Any]) -> NDArray[np.float32]:
    """What the hand-made graph computes.  (N, K)"""
    a, b = weights()
    rates = latent @ a.astype(np.float64) + conditions @ b.astype(np.float64)
    return np.maximum(rates, 0).astype(np.float32)


def graph(**ports: Any) -> onnx.ModelProto:
    """The graph; ``ports`` replaces the shape of a port, for graphs that must be refused."""
    shapes = {"latent": ["batch", Z], "conditions": ["batch", C], "showers": ["batch", K]} | ports
    tensors = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    output = tensors.pop("showers", None) or tensors.popitem()[1]
    latent, conditions = list(tensors)[:2]
    nodes = [
        helper.make_node("MatMul", [latent, "a"], ["from_latent"]),
        helper.make_node("MatMul", [conditions, "b"], ["from_conditions"]),
        helper.make_node("Add", ["from_latent", "from_conditions"], ["sum"]),
        helper.make_node("Relu", ["sum"], [output.name]),
    ]
    a, b = (numpy_helper.from_array(w, name) for w, name in zip(weights(), "ab", strict=True))
    body = helper.make_graph(nodes, "handmade", list(tensors.values()), [output], [a, b])
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(body, ir_version=8, opset_imports=opset)


def triples() -> dict[str, NDArray[np.float32]]:
    """Sixteen answers.  (16, Z), (16, C), (16, K)"""
    rng = np.random.default_rng(3)
    latent = rng.normal(size=(16, Z)).astype(np.float32)
    conditions = rng.uniform(0, 10, (16, C)).astype(np.float32)
    response = answer(latent, conditions)
    return {"latent": latent, "conditions": conditions, "response": response}


def write_simulator(
    folder: Path, model: onnx.ModelProto | bytes | None = None, **changes: Any
) -> Path:
    """A simulator folder; ``changes`` replaces entries of the card, None removes one."""
    folder.mkdir(parents=True)
    model = graph() if model is None else model
    content = model if isinstance(model, bytes) else model.SerializeToString()
    card = {
        "format": "caloforge-simulator",
        "version": 1,
        "detector": json.loads(DETECTOR.model_dump_json()),
        "latent_size": Z,
        "latent_law": "normal",
        "sampling": "rounding",
        "training_ranges": {"Energy": [0.0, 10.0], "Px": [0.0, 10.0]},
        "recipe": {"name": "by hand"},
        "generator_sha256": hashlib.sha256(content).hexdigest(),
        "caloforge_version": "0",
        "provenance": {"licence": "CC0", "source": "tests"},
    } | changes
    fields = {name: value for name, value in card.items() if value is not None}
    (folder / "generator.onnx").write_bytes(content)
    (folder / "simulator.json").write_text(json.dumps(fields))
    np.savez(folder / "reference.npz", **triples())
    return folder


def some_conditions(rows: int) -> NDArray[np.float64]:
    """Conditions in the training range.  (rows, C)"""
    return np.random.default_rng(11).uniform(0, 10, (rows, C))
