"""The programs that a simulator is exported for; each adapter is loaded when it is called."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from caloforge.errors import UsageError
from caloforge.export.bundle import Contents, write_bundle
from caloforge.export.options import Options
from caloforge.readers.verdict import Verdict
from caloforge.simulator import Simulator


class Target(NamedTuple):
    """Where an adapter lives (a module with ``adapt``) and who reads what it makes."""

    module: str
    purpose: str


TARGETS = {
    "o2": Target("caloforge.export.o2", "AliceO2 fast simulation of the ZDC"),
    "par04": Target("caloforge.export.par04", "Geant4 example Par04, ONNX inference"),
    "ddml": Target("caloforge.export.ddml", "key4hep DDML, RegularGridGANModel"),
    "ddml-library": Target("caloforge.export.ddml_library", "key4hep DDML, LoadHdf5"),
    "fcs-ganv2": Target("caloforge.export.fcs", "FastCaloSim, GAN version 2"),
    "triton": Target("caloforge.export.triton", "NVIDIA Triton inference server"),
}


def target_of_name(name: str) -> Target:
    """The target of that name; UsageError with the names that exist."""
    if name not in TARGETS:
        raise UsageError(f"no target {name}; there are {', '.join(TARGETS)}")
    return TARGETS[name]


def export(
    simulator: Simulator, target: str, folder: Path, options: Options, *, overwrite: bool = False
) -> tuple[Contents, Verdict]:
    """Write a bundle that its reader's emulator has read and found right.

    Raises UsageError for a simulator that the reader cannot hold, CaloforgeError when the bundle
    does not give the native model's showers.
    """
    adapter: Any = import_module(target_of_name(target).module)
    contents: Contents = adapter.adapt(simulator, options)
    verdict = write_bundle(simulator, target, contents, folder, overwrite=overwrite)
    return contents, verdict


__all__ = ["TARGETS", "Target", "export", "target_of_name"]
