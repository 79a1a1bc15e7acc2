"""A simulator folder again, with a graph of another precision and the card that is true of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from caloforge.simulator import CARD, GRAPH, REFERENCE, Simulator
from caloforge.simulator.reference import Reference


def write_simulator(simulator: Simulator, model: bytes, precision: str, folder: Path) -> Simulator:
    """A simulator folder of this graph, with stored answers of its own, loaded.

    Its quality is not that of the other graph: the card has none until it is measured.
    """
    digest = hashlib.sha256(model).hexdigest()
    provenance = simulator.card.provenance | {"precision": precision}
    news = {"generator_sha256": digest, "provenance": provenance, "quality": None, "weaknesses": ()}
    card = simulator.card.model_copy(update=news)
    (folder / GRAPH).write_bytes(model)
    (folder / CARD).write_text(card.to_json(indent=1), encoding="utf-8")
    latent, conditions = simulator.reference.latent, simulator.reference.conditions
    answers = Simulator.load(folder).expected(latent, conditions)
    Reference(latent, conditions, answers).write(folder / REFERENCE)
    return Simulator.load(folder)
