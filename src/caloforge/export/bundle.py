"""Writing a bundle: the files of one reader, stored answers of the native model, and the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import caloforge
from caloforge.errors import CaloforgeError, UsageError
from caloforge.io.files import sha256_of, write_aside_folder
from caloforge.readers.bundle import CARD, REFERENCE, BundleCard
from caloforge.readers.checks import check_bundle
from caloforge.readers.how import How
from caloforge.readers.verdict import Verdict
from caloforge.simulator import GRAPH, Simulator
from caloforge.simulator.reference import Reference

REPEATS = 25
"""Showers of each reference particle by which a bundle is checked before it is kept."""


@dataclass(frozen=True)
class Contents:
    """What an adapter makes: files by name, facts for the reader's emulator, a README."""

    files: Mapping[str, bytes]
    facts: Mapping[str, Any]
    readme: str
    paste: str = ""
    """What the user has to type or to write next, on one line."""
    reference: Reference | None = None
    """The native model's answers to what the reader can ask; default: the simulator's own."""


def write_bundle(
    simulator: Simulator, target: str, contents: Contents, folder: Path, *, overwrite: bool = False
) -> Verdict:
    """Write a bundle aside, let its reader's emulator check it, then move it into place.

    Raises UsageError when the folder exists, CaloforgeError when the check fails.
    """
    with write_aside_folder(folder, overwrite=overwrite) as aside:
        for name, content in contents.files.items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).write_bytes(content)
        (contents.reference or simulator.reference).write(aside / REFERENCE)
        (aside / "README.md").write_text(contents.readme, encoding="utf-8")
        checksums = {name: sha256_of(aside / name) for name in (*contents.files, REFERENCE)}
        card = BundleCard(
            target=target,
            detector=simulator.detector,
            latent_size=simulator.latent_size,
            sampling=simulator.sampling,
            training_ranges=simulator.card.training_ranges,
            files=checksums,
            reader=dict(contents.facts),
            generator_sha256=simulator.card.generator_sha256,
            recipe=simulator.card.recipe,
            provenance=simulator.card.provenance,
            caloforge_version=caloforge.__version__,
        )
        (aside / CARD).write_text(card.model_dump_json(indent=1), encoding="utf-8")
        verdict = check_bundle(aside, How(repeats=REPEATS))
        if failed := [finding for finding in verdict.findings if not finding.passed]:
            raise CaloforgeError(f"{target}: {failed[0].what}: {failed[0].text}; nothing is kept")
    return verdict


def generator_bytes(simulator: Simulator) -> bytes:
    """The generator's graph as it was loaded."""
    return (simulator.folder / GRAPH).read_bytes()


def require_latents(simulator: Simulator, given: int, reader: str) -> None:
    """Raise UsageError when the generator wants more latents than the reader draws."""
    if simulator.latent_size > given:
        raise UsageError(
            f"{simulator.folder} has {simulator.latent_size} latents, {reader} draws {given}: "
            f"train with --set generator.latent={given}"
        )


__all__ = ["Contents", "generator_bytes", "require_latents", "write_bundle"]
