"""Fast calorimeter simulation: train, evaluate, export and mass-produce generated showers.

The names below are loaded when they are first used, so that ``import caloforge`` costs nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caloforge.api import evaluate, export, generate, train
    from caloforge.data.showers import ShowerFile, Showers, ShowerWriter, read, write
    from caloforge.detector import Detector
    from caloforge.detectors import detector_of_name
    from caloforge.errors import CaloforgeError, DataError, UsageError
    from caloforge.extensions import use
    from caloforge.recipe import Recipe
    from caloforge.simulator import Simulator

__version__ = "0.1.0"

# Else onnxruntime writes a number of this machine into the user's cache and sends events away.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

PACKAGES = ("evaluate", "export", "generate")
"""Packages that are called like the function of their name, as ``caloforge.train`` is."""
HOMES = {
    "CaloforgeError": "caloforge.errors",
    "DataError": "caloforge.errors",
    "Detector": "caloforge.detector",
    "Recipe": "caloforge.recipe",
    "ShowerFile": "caloforge.data.showers",
    "ShowerWriter": "caloforge.data.showers",
    "Showers": "caloforge.data.showers",
    "Simulator": "caloforge.simulator",
    "UsageError": "caloforge.errors",
    "detector_of_name": "caloforge.detectors",
    "read": "caloforge.data.showers",
    "train": "caloforge.api",
    "use": "caloforge.extensions",
    "write": "caloforge.data.showers",
}

__all__ = [
    "CaloforgeError",
    "DataError",
    "Detector",
    "Recipe",
    "ShowerFile",
    "ShowerWriter",
    "Showers",
    "Simulator",
    "UsageError",
    "__version__",
    "detector_of_name",
    "evaluate",
    "export",
    "generate",
    "read",
    "train",
    "use",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in PACKAGES:
        return import_module(f"{__name__}.{name}")
    if name not in HOMES:
        raise AttributeError(f"module caloforge has no attribute {name}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
