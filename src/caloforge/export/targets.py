"""The programs that a simulator is exported for; each adapter is loaded when it is called.

A target is a module with ``adapt(simulator, options) -> Contents``, which writes, and
``check(bundle, options) -> CheckResult``, an emulator of the program, written from the program's
contract. Checking needs neither torch nor onnx.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import caloforge
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.export.bundle import CARD, REFERENCE, Bundle, BundleCard, Contents, Options
from caloforge.export.checks import CheckOptions, CheckResult
from caloforge.io.files import sha256_of, write_aside_folder
from caloforge.simulator import Simulator
from caloforge.simulator.description import quality_lines

REPEATS = 25
"""Showers of each reference particle by which a bundle is checked before it is kept."""


class Target(NamedTuple):
    """The module of a target, and who reads what it makes."""

    module: str
    purpose: str


TARGETS = {
    "o2": Target("caloforge.export.o2", "AliceO2 fast simulation of the ZDC"),
    "par04": Target("caloforge.export.par04", "Geant4 example Par04, ONNX inference"),
    "ddml": Target("caloforge.export.ddml", "key4hep DDML, RegularGridGANModel"),
    "ddml-library": Target("caloforge.export.ddml_library", "key4hep DDML, LoadHdf5"),
    "fcs-ganv2": Target("caloforge.export.fcs", "FastCaloSim, GAN version 2"),
    "fcs-binned": Target("caloforge.export.fcs_binned", "FastCaloSim, binned showers"),
    "triton": Target("caloforge.export.triton", "NVIDIA Triton inference server"),
}


def target_of_name(name: str) -> Target:
    """The target of that name; UsageError with the names that exist."""
    if name not in TARGETS:
        raise UsageError(f"no target {name}; there are {', '.join(TARGETS)}, int8, half")
    return TARGETS[name]


def export(
    simulator: Simulator,
    target: str,
    folder: str | Path,
    options: Options,
    *,
    overwrite: bool = False,
) -> tuple[Contents, CheckResult]:
    """Write a bundle that its reader's emulator has read and found right.

    Raises UsageError for a simulator that the reader cannot hold, CaloforgeError when the bundle
    does not give the native model's showers.
    """
    adapter: Any = import_module(target_of_name(target).module)
    contents: Contents = adapter.adapt(simulator, options)
    result = write_bundle(simulator, target, contents, folder, overwrite=overwrite)
    return contents, result


def write_bundle(
    simulator: Simulator,
    target: str,
    contents: Contents,
    folder: str | Path,
    *,
    overwrite: bool = False,
) -> CheckResult:
    """Write a bundle aside, let its reader's emulator check it, then move it into place.

    Raises UsageError when the folder exists, CaloforgeError when the check fails.
    """
    folder = Path(folder)
    with write_aside_folder(folder, overwrite=overwrite) as aside:
        for name, content in contents.files.items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).write_bytes(content)
        (contents.reference or simulator.reference).write(aside / REFERENCE)
        (aside / "README.md").write_text(_readme(contents, simulator), encoding="utf-8")
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
            species=simulator.card.species,
            cpu_seconds=simulator.card.cpu_seconds,
            quality=simulator.card.quality,
            weaknesses=simulator.card.weaknesses,
        )
        (aside / CARD).write_text(card.to_json(indent=1), encoding="utf-8")
        result = check_bundle(aside, CheckOptions(repeats=REPEATS))
        if failed := [finding for finding in result.findings if not finding.passed]:
            raise CaloforgeError(f"{target}: {failed[0].what}: {failed[0].text}; nothing is kept")
    return result


def _readme(contents: Contents, simulator: Simulator) -> str:
    """What to paste and to know, and what the card says of the showers."""
    quality = "\n".join(f"    {line}" for line in quality_lines(simulator.card))
    return f"{contents.readme.rstrip()}\n\n## Quality of the showers\n\n{quality}\n"


def check_bundle(folder: str | Path, options: CheckOptions | None = None) -> CheckResult:
    """Let the emulator of a bundle's reader read it, and compare with the native model.

    Raises DataError for a bundle that the reader cannot use.
    """
    bundle = Bundle(folder)
    if bundle.card.target not in TARGETS:
        raise DataError(f"{folder} is for {bundle.card.target!r}, which is not known here")
    reader: Any = import_module(TARGETS[bundle.card.target].module)
    return reader.check(bundle, options or CheckOptions())
