"""A card in words: what a simulator was trained on, how good it is, what it may be asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from caloforge.detector import Detector
from caloforge.simulator.card import Measurement, Quality, SimulatorCard
from caloforge.simulator.domain import Domain
from caloforge.simulator.sampling import Sampling


class Judged(Protocol):
    """A card that tells how good the showers are."""

    @property
    def quality(self) -> Quality | None:
        """What was measured."""
        ...

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """What is known to be off."""
        ...


def describe(card: SimulatorCard) -> str:
    """All that a user has to know, some lines of text."""
    run = card.run
    lines = [
        f"simulator of {card.detector.name} ({card.detector.title}), {card.latent_size} latents",
        f"recipe: {card.recipe.get('name', 'not stated')}, caloforge {card.caloforge_version}, "
        f"commit {run.commit or 'not stated'}",
        *module_lines(card),
        f"trained on: {card.provenance.get('source', run.data.path or 'not stated')}"
        f" (sha256 {(run.data.sha256 or 'not stated')[:16]})",
        f"species: {', '.join(map(str, card.species)) or 'not stated'} (PDG numbers)",
        f"training: {_seconds(card.cpu_seconds)}",
        f"counts: {law_text(card.sampling, card.detector)}",
        "domain:",
        *(f"  {rule.name}: {rule.text}" for rule in Domain(card).rules),
        *quality_lines(card),
    ]
    return "\n".join(lines)


def module_lines(card: SimulatorCard) -> Iterator[str]:
    """Modules outside caloforge that terms and networks came from."""
    rows = card.recipe.get("modules")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            version = f" {row['version']}" if row.get("version") else ""
            yield f"module: {row.get('name')}{version} (sha256 {str(row.get('sha256'))[:16]})"


def law_text(sampling: Sampling, detector: Detector) -> str:
    """How cells are drawn."""
    if isinstance(sampling, str):
        return sampling
    return (
        f"{sampling.law}, variance over mean 1 + {sampling.excess:g} + {sampling.slope:g} x mean "
        f"({detector.quantity} of a cell)"
    )


def quality_lines(card: Judged) -> Iterator[str]:
    """What was measured, the gate's answer and what is known to be off; or that nothing was."""
    if card.quality is None:
        yield "quality: not judged"
    else:
        yield f"quality, against {card.quality.against}:"
        yield from (f"  {measured_text(one)}" for one in card.quality.measurements)
        yield f"  gate: {gate_text(card.quality)}"
    yield from (f"weakness: {text}" for text in card.weaknesses)


def measured_text(one: Measurement) -> str:
    """A measure with its error and its floor."""
    value = f"{one.value:.4g}" + ("" if one.error is None else f" +- {one.error:.2g}")
    floor = "" if one.floor is None else f" (floor {one.floor:.4g})"
    return f"{one.name}: {value}{f' {one.unit}' if one.unit else ''}{floor}"


def gate_text(quality: Quality) -> str:
    """The gate's answer, in words."""
    if quality.accepted is None:
        return "not asked"
    failed = f": {', '.join(quality.failed)}" if quality.failed else ""
    return "accepted" if quality.accepted else f"REJECTED{failed}"


def _seconds(cpu_seconds: float | None) -> str:
    return "time not stated" if cpu_seconds is None else f"{cpu_seconds:.0f} CPU seconds"
