"""A trained generator as a simulator folder: graph, card and stored answers (needs torch, onnx).

Shapes: N rows, Z latents, C conditions, K cells. One graph serves every target: opset 17 and IR 8
are the newest that O2's onnxruntime reads. The TorchScript exporter writes them; the newer one
(dynamo) writes opset 20 and IR 10.
"""

from __future__ import annotations

import copy
import hashlib
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import caloforge
from caloforge.detector import Detector
from caloforge.errors import CaloforgeError, DataError
from caloforge.io.files import write_aside_folder
from caloforge.simulator import CARD, GRAPH, REFERENCE, Simulator, SimulatorCard
from caloforge.simulator.engines import INPUTS, OUTPUT
from caloforge.simulator.onnx_safety import NEWEST_IR, NEWEST_OPSET
from caloforge.simulator.reference import TRIPLES, Reference
from caloforge.simulator.sampling import Sampling

if TYPE_CHECKING:
    from torch import nn

TRACED_ROWS = 2


def export_simulator(
    generator: nn.Module,
    detector: Detector,
    recipe_record: Mapping[str, Any],
    training_conditions: NDArray[Any],
    folder: Path,
    *,
    latent_size: int,
    sampling: Sampling | None = None,
    provenance: Mapping[str, str] | None = None,
    species: Sequence[int] = (),
    cpu_seconds: float | None = None,
    overwrite: bool = False,
) -> None:
    """Write a simulator folder aside, check it against torch's answers, then move it into place.

    ``training_conditions`` (N, C) are the physical conditions of the training rows: their ranges
    go into the card, sixteen of them into the stored answers; ``species`` are the PDG numbers of
    the particles, ``cpu_seconds`` what the training took. Raises CaloforgeError when the graph
    cannot be written for opset 17, and when onnxruntime computes something else than torch.
    """
    traced = copy.deepcopy(generator).cpu().eval()
    reference = make_reference(traced, latent_size, training_conditions)
    model = graph_bytes(traced, reference)
    lowest, highest = training_conditions.min(axis=0), training_conditions.max(axis=0)
    card = SimulatorCard(
        detector=detector,
        latent_size=latent_size,
        sampling=sampling or ("rounding" if detector.counts else "continuous"),
        training_ranges={
            name: (float(lowest[column]), float(highest[column]))
            for column, name in enumerate(detector.columns)
        },
        impact_ranges_cm=impact_ranges(detector, training_conditions),
        species=tuple(sorted(set(species))),
        recipe=dict(recipe_record),
        cpu_seconds=cpu_seconds,
        generator_sha256=hashlib.sha256(model).hexdigest(),
        caloforge_version=caloforge.__version__,
        provenance=dict(provenance or {}),
    )
    with write_aside_folder(folder, overwrite=overwrite) as aside:
        (aside / GRAPH).write_bytes(model)
        (aside / CARD).write_text(card.to_json(indent=1), encoding="utf-8")
        reference.write(aside / REFERENCE)
        Simulator.load(aside).check()


def impact_ranges(detector: Detector, conditions: NDArray[Any]) -> dict[str, tuple[float, float]]:
    """Where particles meet the face, of each impact feature in cm.  {name: (low, high)}"""
    ranges = {}
    for feature in detector.features:
        if feature.kind == "impact":
            place = feature.value(np, *(conditions[:, detector.column(c)] for c in feature.of))
            ranges[feature.name] = (float(np.min(place)), float(np.max(place)))
    return ranges


def make_reference(generator: nn.Module, latent_size: int, conditions: NDArray[Any]) -> Reference:
    """Torch's answers for fixed latents and conditions from evenly spaced rows."""
    import torch

    rows = np.linspace(0, len(conditions) - 1, TRIPLES).astype(int)
    latent = np.random.Generator(np.random.Philox(0)).standard_normal((TRIPLES, latent_size))
    inputs = [torch.as_tensor(part, dtype=torch.float32) for part in (latent, conditions[rows])]
    with torch.no_grad():
        response = generator(*inputs)
    if not torch.isfinite(response).all():
        raise DataError("the generator gives values that are not finite for training conditions")
    return Reference(*(part.numpy() for part in (*inputs, response)))


def graph_bytes(generator: nn.Module, reference: Reference) -> bytes:
    """The generator's graph as one ONNX file, dynamic in the number of rows and made fast."""
    import onnx
    import torch

    from caloforge.export.passes import simplify

    inputs = (reference.latent, reference.conditions)
    generator = with_stacked_features(generator)
    with _quiet_exporter(), tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        path = Path(scratch) / GRAPH
        try:
            torch.onnx.export(
                generator,
                tuple(torch.from_numpy(part[:TRACED_ROWS]) for part in inputs),
                path,
                dynamo=False,
                opset_version=NEWEST_OPSET,
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                dynamic_axes={name: {0: "batch"} for name in (*INPUTS, OUTPUT)},
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise CaloforgeError(f"the generator has no ONNX form: {error}") from error
        model = onnx.load_model(path)
    simplify(model)
    model.ir_version = min(model.ir_version, NEWEST_IR)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def with_stacked_features(generator: nn.Module) -> nn.Module:
    """A copy that computes the features of its conditions in few operators, where that is known."""
    from caloforge.export.flights import FlightFeatures, can_be_stacked
    from caloforge.networks.scales import ConditionScale

    copied = copy.deepcopy(generator)
    for name, module in list(copied.named_modules()):
        if isinstance(module, ConditionScale) and can_be_stacked(module):
            copied.set_submodule(name, FlightFeatures(module))
    return copied


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The TorchScript exporter warns that it is old, and of padding; nothing else may warn."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.onnx")
        warnings.filterwarnings("ignore", "You are using the legacy", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
        warnings.filterwarnings("ignore", "Constant folding - Only steps=1", UserWarning)
        yield
