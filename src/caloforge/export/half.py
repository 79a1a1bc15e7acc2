"""A simulator whose weights are stored in half precision: half the file, the same arithmetic.

Weights become float32 again when the graph is loaded, so it runs as fast as before.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from caloforge.errors import CaloforgeError
from caloforge.io.files import write_aside_folder
from caloforge.simulator import CARD, GRAPH, REFERENCE, Simulator
from caloforge.simulator.reference import Reference

LARGEST_DEVIATION = 1e-3
"""Of the largest cell, by which the answers may move."""
FEWEST_VALUES = 256
"""Smaller constants, such as scales of conditions, stay as they are."""
NOTE = {"precision": "float16 weights"}


def halve(simulator: Simulator, out: str | Path, *, overwrite: bool = False) -> float:
    """Write the simulator with weights in half precision; returns how far its answers moved.

    Raises CaloforgeError, and writes nothing, where they move by more than a thousandth of the
    largest cell.
    """
    out = Path(out)
    model = half_graph((simulator.folder / GRAPH).read_bytes())
    card = simulator.card.model_copy(
        update={
            "generator_sha256": hashlib.sha256(model).hexdigest(),
            "provenance": simulator.card.provenance | NOTE,
        }
    )
    reference = simulator.reference
    with write_aside_folder(out, overwrite=overwrite) as aside:
        (aside / GRAPH).write_bytes(model)
        (aside / CARD).write_text(card.to_json(indent=1), encoding="utf-8")
        answers = Simulator.load(aside).expected(reference.latent, reference.conditions)
        if not (deviation := reference.difference(answers)) <= LARGEST_DEVIATION:
            raise CaloforgeError(
                f"half precision moves cells by {deviation:.1e} of the largest one (allowed "
                f"{LARGEST_DEVIATION:.0e}); nothing is kept"
            )
        Reference(reference.latent, reference.conditions, answers).write(aside / REFERENCE)
        Simulator.load(aside).check()
    return deviation


def half_graph(model: bytes) -> bytes:
    """The graph with large float32 constants in half precision, each behind a Cast."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model_proto = onnx.load_model_from_string(model)
    graph, casts = model_proto.graph, []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < FEWEST_VALUES:
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model_proto, full_check=True)
    return bytes(model_proto.SerializeToString())
