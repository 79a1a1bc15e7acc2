"""A simulator folder again, with the same card and a graph of another precision."""

from __future__ import annotations

import hashlib
from pathlib import Path

from caloforge.simulator import CARD, GRAPH, REFERENCE, Simulator
from caloforge.simulator.reference import Reference


def write_simulator(simulator: Simulator, model: bytes, precision: str, folder: Path) -> Simulator:
    """A simulator folder of this graph, with stored answers of its own, loaded."""
    digest = hashlib.sha256(model).hexdigest()
    provenance = simulator.card.provenance | {"precision": precision}
    card = simulator.card.model_copy(update={"generator_sha256": digest, "provenance": provenance})
    (folder / GRAPH).write_bytes(model)
    (folder / CARD).write_text(card.to_json(indent=1), encoding="utf-8")
    latent, conditions = simulator.reference.latent, simulator.reference.conditions
    answers = Simulator.load(folder).expected(latent, conditions)
    Reference(latent, conditions, answers).write(folder / REFERENCE)
    return Simulator.load(folder)
