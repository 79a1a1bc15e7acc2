"""Networks that a run starts from: those of another run, or the generator of a simulator.

A run has a checkpoint with all its networks. A simulator has the graph of its generator alone,
whose tensors carry the names of the weights; they count when they reproduce its stored answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from caloforge import checkpoint
from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.errors import DataError, UsageError
from caloforge.io.files import sha256_of
from caloforge.recipe import Recipe
from caloforge.simulator import GRAPH, Simulator, find_simulator
from caloforge.simulator.reference import RELATIVE_TOLERANCE
from caloforge.training.folder import RunFolder

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Pretrained:
    """Weights of networks by name, and the recipe that they were trained with."""

    path: Path
    """The file that holds the weights."""
    recipe: Recipe
    networks: Mapping[str, State]

    @property
    def detector(self) -> Detector:
        """What the networks were trained for."""
        return self.recipe.resolve()

    @cached_property
    def record(self) -> dict[str, str]:
        """For ``recipe.json`` and the card."""
        return {"path": str(self.path.resolve()), "sha256": sha256_of(self.path)}

    def adapt(self, recipe: Recipe) -> Recipe:
        """A recipe with these networks, and without a start of its own."""
        configs = {"generator": self.recipe.generator, "critic": self.recipe.critic}
        changes = {name: config for name, config in configs.items() if name in self.networks}
        return recipe.model_copy(update=changes | {"start": None})

    def load_into(self, networks: Mapping[str, nn.Module], detector: Detector) -> Iterator[str]:
        """Put the weights into networks for a detector; yields what to know of it.

        Raises DataError that names the first weight of another shape.
        """
        for name, network in networks.items():
            if name in self.networks:
                require_fits(name, network, self.networks[name], str(self.path), detector)
                network.load_state_dict(dict(self.networks[name]))
        fresh = [name for name in networks if name not in self.networks]
        if fresh:
            yield f"{self.path} has no {', '.join(fresh)}: trained from the beginning"
        yield from differences(self.detector, detector)


def read_pretrained(source: str | Path) -> Pretrained:
    """The networks of a run folder, a simulator's folder or a shipped simulator.

    Raises UsageError where there is none, DataError for a simulator whose graph does not hold all
    weights.
    """
    run = RunFolder(Path(source))
    return of_run(run) if run.checkpoint.is_file() else of_simulator(find_simulator(source))


def of_run(run: RunFolder) -> Pretrained:
    """All networks of a run; of the generator the best one that was scored."""
    state = checkpoint.load(run.checkpoint)
    recipe = Recipe.read(run.recipe)
    try:
        best = state["best"]["weights"]
        average = state["average"] if best is None else best
        networks = {**state["networks"], "generator": average}
    except (KeyError, TypeError) as error:
        raise DataError(f"{run.checkpoint}: holds no networks") from error
    return Pretrained(run.checkpoint, recipe, networks)


def of_simulator(folder: Path) -> Pretrained:
    """The generator of a simulator, by the names in its graph."""
    simulator = Simulator.load(folder)
    path = folder / GRAPH
    try:
        recipe = Recipe.of_record(simulator.card.recipe)
    except UsageError as error:
        raise DataError(f"{folder}: its card holds no recipe to train on: {error}") from error
    recipe = recipe.made_for(simulator.detector)
    generator = generator_of(recipe, simulator)
    stored_weights = dict(initialisers(path))
    weights = dict(generator.named_parameters())
    for name, value in generator.state_dict().items():
        if name in stored_weights and stored_weights[name].shape == value.shape:
            value.copy_(stored_weights[name])
        elif name in weights:
            raise DataError(
                f"{path} does not hold {name} by itself (folded when it was exported): "
                "give the run folder, which has a checkpoint"
            )
    require_answers(generator, simulator)
    return Pretrained(path, recipe, {"generator": generator.state_dict()})


def generator_of(recipe: Recipe, simulator: Simulator) -> nn.Module:
    """A generator of the kind that was exported, with fresh weights."""
    config, conditions = recipe.generator, simulator.reference.conditions.astype("float64")
    detector = simulator.detector
    scaling = FeatureScaling.fit(detector, conditions, config.features, config.attributes)
    return config.build(detector, scaling).eval()


def initialisers(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Float32 tensors of a graph, by the names of the weights.

    A product without a bias is written with a transposed weight that has lost its name; the
    operator still has that of its module.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model(path, load_external_data=False).graph
    weights = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
    }
    yield from weights.items()
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            module = node.name.removesuffix("/MatMul").strip("/").replace("/", ".")
            yield f"{module}.weight", weights[node.input[1]].T


@torch.no_grad()
def require_answers(generator: nn.Module, simulator: Simulator) -> None:
    """DataError unless the generator computes what the simulator stored."""
    reference = simulator.reference
    inputs = (torch.from_numpy(part) for part in (reference.latent, reference.conditions))
    if not reference.difference(generator(*inputs).numpy()) <= RELATIVE_TOLERANCE:
        raise DataError(
            f"{simulator.folder}: the weights in its graph do not give its stored answers: "
            "give the run folder, which has a checkpoint"
        )


def require_fits(name: str, network: nn.Module, state: State, source: str, where: Detector) -> None:
    """DataError that names the first weight that is missing, or of another shape."""
    for key, value in network.state_dict().items():
        there: Any = state.get(key)
        if there is None or there.shape != value.shape:
            shape = "missing" if there is None else f"{tuple(there.shape)}"
            raise DataError(
                f"{source} does not fit {where.name}: {name} {key} is {shape}, not "
                f"{tuple(value.shape)}; it takes the same layers and as many conditions"
            )


def differences(before: Detector, now: Detector) -> Iterator[str]:
    """What two detectors of equal shapes mean by their numbers."""
    for what in ("columns", "unit", "quantum"):
        then, here = getattr(before, what), getattr(now, what)
        if then != here:
            yield f"{what} of {now.name}: {here} where {before.name} has {then}"
