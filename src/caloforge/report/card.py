"""A simulator's card in words: what it was trained on, what it may be asked, how good it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from caloforge.detector import Detector
from caloforge.evaluate.resampling import Measured
from caloforge.report.tables import COLUMNS, GAP, folded, tabulated
from caloforge.simulator.card import Measurement, Quality, SimulatorCard
from caloforge.simulator.domain import Domain
from caloforge.simulator.sampling import Sampling

SHORT_SHA = 12


class QualityCard(Protocol):
    """A card that tells how good the showers are."""

    @property
    def quality(self) -> Quality | None:
        """What was measured."""
        ...

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """What is known to be off."""
        ...


def card_text(card: SimulatorCard) -> str:
    """All that a user has to know, a page of text of 80 columns."""
    blocks = (aligned(dict(facts(card))), domain_text(card), quality_text(card))
    return "\n\n".join(blocks)


def facts(card: SimulatorCard) -> Iterator[tuple[str, str]]:
    """What it simulates and how it was trained, by name."""
    run, detector = card.run, card.detector
    commit = f", commit {run.commit[:SHORT_SHA]}" if run.commit else ""
    source = card.provenance.get("source", run.data.path or "not stated")
    sha256 = f" (sha256 {run.data.sha256[:SHORT_SHA]})" if run.data.sha256 else ""
    seconds = "" if card.cpu_seconds is None else f", {card.cpu_seconds:.0f} CPU seconds"
    yield "detector", f"{detector.name} ({detector.title})"
    yield "latents", str(card.latent_size)
    yield "cells", law_text(card.sampling, detector)
    recipe = card.recipe.get("name", "not stated")
    yield "recipe", f"{recipe}, caloforge {card.caloforge_version}{commit}"
    if names := ", ".join(modules(card)):
        yield "modules", names
    yield "trained on", f"{source}{sha256}{seconds}"
    yield "species", f"{', '.join(map(str, card.species)) or 'not stated'} (PDG numbers)"


def modules(card: SimulatorCard) -> Iterator[str]:
    """Modules outside caloforge that terms and networks came from."""
    rows = card.recipe.get("modules")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            version = f" {row['version']}" if row.get("version") else ""
            yield f"{row.get('name')}{version} (sha256 {str(row.get('sha256'))[:SHORT_SHA]})"


def law_text(sampling: Sampling, detector: Detector) -> str:
    """How cells are drawn."""
    if isinstance(sampling, str):
        return f"{detector.quantity}, {sampling}"
    slope = f" + {sampling.slope:g} x mean" if sampling.slope else ""
    return f"{detector.quantity}, {sampling.law}: variance over mean 1 + {sampling.excess:g}{slope}"


def domain_text(card: SimulatorCard) -> str:
    """What particles it was trained on, a line for each rule."""
    rules = {rule.name: rule.text for rule in Domain(card).rules}
    return "domain, from the particles of training:\n" + aligned(rules)


def quality_text(card: QualityCard) -> str:
    """What was measured, the gate's answer and what is known to be off; or that nothing was."""
    if card.quality is None:
        return "quality: not evaluated"
    quality = card.quality
    lines = [
        ("measure", "generated", "real v real"),
        *((title(one), *generated_and_real(one)) for one in quality.measurements),
    ]
    answers = [f"gate: {gate_text(quality)}", *(f"weakness: {text}" for text in card.weaknesses)]
    return "\n".join(
        [
            folded(f"quality, against {quality.against}:", COLUMNS),
            tabulated(lines, COLUMNS),
            *(folded(answer, COLUMNS) for answer in answers),
        ]
    )


def title(one: Measurement) -> str:
    """A measure in words, with its unit."""
    return (one.title or one.name) + (f" [{one.unit}]" if one.unit else "")


def generated_and_real(one: Measurement) -> tuple[str, str]:
    """A measure with its error, and the same between real showers."""
    return str(Measured(one.value, one.error)), str(Measured(one.floor, one.floor_error, "-"))


def gate_text(quality: Quality) -> str:
    """The gate's answer, in words."""
    if quality.accepted is None:
        return "not asked"
    failures = f": {', '.join(quality.failed)}" if quality.failed else ""
    return "accepted" if quality.accepted else f"REJECTED{failures}"


def aligned(texts: dict[str, str]) -> str:
    """Names and texts in two columns of together 80."""
    width = max(map(len, texts), default=0) + GAP
    lines = (f"{name:<{width}}{text}" for name, text in texts.items())
    return "\n".join(folded(line, COLUMNS, indent=width) for line in lines)
