"""Simulators for export tests, by onnx.helper and raw JSON: cells linear in latents and conditions.

``cells = max(latent @ a + conditions @ b + c, 0)`` with arrays that the tests choose.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from caloforge.detector import Detector
from caloforge.simulator import Simulator
from caloforge.simulator.sampling import Sampling

RUN_EXAMPLE = (
    *(513.318, 1.4543e-08, 3.65051e-08, -0.00273101, 0.035456, -0.0518206, -513.318),
    *(0.0, 0.0),
)
"""The particle of O2's own ``run-example.cxx``."""
NEUTRONS = np.array(
    [
        [1380.0, 1e-4, -2e-4, 1.0, 0.11, -0.2, 1379.9, 939.565, 0.0],
        [300.0, 0.0, 3e-4, -4.0, -0.03, 0.05, -299.9, 139.57, 1.0],
        [40.0, 2e-4, 0.0, 0.5, 0.002, 0.003, 39.9, 938.272, -1.0],
        [*RUN_EXAMPLE],
    ]
)
"""Some particles that hit the ZN.  (4, 9)"""


def write_linear_simulator(
    folder: Path,
    detector: Detector,
    constant: NDArray[Any],
    *,
    per_condition: NDArray[Any] | None = None,
    per_latent: NDArray[Any] | None = None,
    latents: int = 10,
    sampling: Sampling = "rounding",
    conditions: NDArray[Any] = NEUTRONS,
    species: tuple[int, ...] = (),
) -> Simulator:
    """A simulator folder, loaded; ``constant`` (K,), ``per_condition`` (C, K), ``per_latent``."""
    columns, cells = len(detector.columns), detector.cells
    weights = {
        "a": np.zeros((latents, cells)) if per_latent is None else per_latent,
        "b": np.zeros((columns, cells)) if per_condition is None else per_condition,
        "c": constant,
    }
    weights = {name: np.asarray(value, dtype=np.float32) for name, value in weights.items()}
    model = linear_graph(weights, latents, columns, cells)
    rows = np.resize(conditions, (16, columns)).astype(np.float32)
    latent = np.random.default_rng(5).normal(size=(16, latents)).astype(np.float32)
    rates = latent.astype(np.float64) @ weights["a"] + rows.astype(np.float64) @ weights["b"]
    response = np.maximum(rates + weights["c"], 0).astype(np.float32)
    card = {
        "format": "caloforge-simulator",
        "version": 1,
        "detector": json.loads(detector.model_dump_json()),
        "latent_size": latents,
        "latent_law": "normal",
        "sampling": sampling if isinstance(sampling, str) else sampling.model_dump(),
        "training_ranges": {
            name: [float(low), float(high)]
            for name, low, high in zip(
                detector.columns, conditions.min(axis=0), conditions.max(axis=0), strict=True
            )
        },
        "recipe": {"name": "by hand"},
        "generator_sha256": hashlib.sha256(model).hexdigest(),
        "caloforge_version": "0",
        "provenance": {"source": "tests"},
    }
    card |= {"version": 2, "species": list(species)} if species else {}
    folder.mkdir(parents=True)
    (folder / "generator.onnx").write_bytes(model)
    (folder / "simulator.json").write_text(json.dumps(card))
    np.savez(folder / "reference.npz", latent=latent, conditions=rows, response=response)
    return Simulator.load(folder)


def linear_graph(weights: dict[str, NDArray[Any]], latents: int, columns: int, cells: int) -> bytes:
    nodes = [
        helper.make_node("MatMul", ["latent", "a"], ["from_latent"]),
        helper.make_node("MatMul", ["conditions", "b"], ["from_conditions"]),
        helper.make_node("Add", ["from_latent", "from_conditions"], ["both"]),
        helper.make_node("Add", ["both", "c"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["showers"]),
    ]
    sizes = {"latent": latents, "conditions": columns, "showers": cells}
    latent, conditions, showers = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in sizes.items()
    )
    initialisers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    body = helper.make_graph(nodes, "linear", [latent, conditions], [showers], initialisers)
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(body, ir_version=8, opset_imports=opset).SerializeToString())


def rewrite_checksums(folder: Path, **changes: Any) -> None:
    """Let a bundle's card agree with its files again; ``changes`` replaces entries of the card."""
    card = json.loads((folder / "bundle.json").read_text())
    card["files"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in card["files"]
    }
    (folder / "bundle.json").write_text(json.dumps(card | changes))
