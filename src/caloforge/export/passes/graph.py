"""A graph to rewrite: who makes a tensor, who reads it, and the weights as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Graph:
    """An ONNX graph with an index; make a new one after each rewrite."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.proto = model.graph
        self.outputs = {port.name for port in self.proto.output}
        self.maker = {name: node for node in self.proto.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.proto.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self._weights = {weight.name: weight for weight in self.proto.initializer}

    def weight(self, name: str) -> NDArray[Any] | None:
        """Values of an initialiser or of a Constant; None for anything else."""
        if name in self._weights:
            return np.asarray(numpy_helper.to_array(self._weights[name]))
        node = self.maker.get(name)
        if node is not None and node.op_type == "Constant" and "value" in attributes(node):
            return np.asarray(numpy_helper.to_array(attributes(node)["value"]))
        return None

    def kernel(self, node: onnx.NodeProto | None) -> NDArray[Any] | None:
        """Kernel of a convolution, if it is one with known weights.  (cout, cin, kx, ky)"""
        if node is None or node.op_type != "Conv":
            return None
        return self.weight(node.input[1])

    def only_reader(self, name: str) -> onnx.NodeProto | None:
        """The one node that reads a tensor, if nobody else needs it."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def add_weight(self, name: str, values: NDArray[Any]) -> str:
        """Add an initialiser under a name of its own, and return that name."""
        names = {weight.name for weight in self.proto.initializer}
        while name in names:
            name += "_"
        self.proto.initializer.append(numpy_helper.from_array(values, name))
        return name

    def replace(self, old: list[onnx.NodeProto], new: list[onnx.NodeProto]) -> None:
        """Put nodes in the place of the last of the old ones, which are removed."""
        nodes = list(self.proto.node)
        place = max(index for index, node in enumerate(nodes) if any(node is one for one in old))
        nodes[place + 1 : place + 1] = new
        rest = [node for node in nodes if not any(node is one for one in old)]
        del self.proto.node[:]
        self.proto.node.extend(rest)
        self.drop_unused_weights()

    def drop_unused_nodes(self) -> None:
        """Remove nodes whose outputs nobody reads, and their weights."""
        used_nodes: list[onnx.NodeProto] = []
        names = set(self.outputs)
        for node in reversed(self.proto.node):
            if names & set(node.output):
                used_nodes.append(node)
                names |= set(node.input)
        del self.proto.node[:]
        self.proto.node.extend(reversed(used_nodes))
        self.drop_unused_weights()

    def drop_unused_weights(self) -> None:
        """Remove initialisers that nobody reads any more."""
        names = {name for node in self.proto.node for name in node.input}
        weights = [weight for weight in self.proto.initializer if weight.name in names]
        del self.proto.initializer[:]
        self.proto.initializer.extend(weights)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node by name, as Python values."""
    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}


def is_plain_convolution(node: onnx.NodeProto | None, weight: NDArray[Any] | None) -> bool:
    """A 2-D convolution of stride 1 without padding, groups or dilation."""
    if node is None or node.op_type != "Conv" or weight is None or weight.ndim != 4:
        return False
    settings = attributes(node)
    return (
        set(settings.get("pads", [0])) == {0}
        and set(settings.get("strides", [1])) == {1}
        and set(settings.get("dilations", [1])) == {1}
        and settings.get("group", 1) == 1
        and settings.get("auto_pad", b"NOTSET") == b"NOTSET"
    )
