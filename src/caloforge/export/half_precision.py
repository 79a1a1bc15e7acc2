"""A simulator whose weights are stored in half precision: half the file, the same arithmetic.

Weights become float32 again when the graph is loaded, so it runs as fast as before.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from caloforge.errors import CaloforgeError
from caloforge.export.precision import write_simulator
from caloforge.io.files import write_aside_folder
from caloforge.simulator import GRAPH, Simulator

LARGEST_DEVIATION = 1e-3
"""Of the largest cell, by which the answers may move."""
FEWEST_VALUES = 256
"""Smaller constants, such as scales of conditions, stay as they are."""


def halve(simulator: Simulator, out: str | Path, *, overwrite: bool = False) -> float:
    """Write the simulator with weights in half precision; returns how far its answers moved.

    Raises CaloforgeError, and writes nothing, where they move by more than a thousandth of the
    largest cell.
    """
    model = half_graph((simulator.folder / GRAPH).read_bytes())
    with write_aside_folder(Path(out), overwrite=overwrite) as aside:
        half = write_simulator(simulator, model, "float16 weights", aside)
        deviation = simulator.reference.difference(half.reference.response)
        if not deviation <= LARGEST_DEVIATION:
            raise CaloforgeError(
                f"half precision moves cells by {deviation:.1e} of the largest one (allowed "
                f"{LARGEST_DEVIATION:.0e}); nothing is kept"
            )
        half.check()
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
