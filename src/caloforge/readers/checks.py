"""Which check belongs to which reader; each is loaded when it is called."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from caloforge.errors import DataError
from caloforge.readers.bundle import Bundle
from caloforge.readers.how import How
from caloforge.readers.verdict import Verdict

CHECKS = {
    "o2": "caloforge.readers.o2_check",
    "par04": "caloforge.readers.par04",
    "ddml": "caloforge.readers.ddml",
    "ddml-library": "caloforge.readers.ddml_library",
    "fcs-ganv2": "caloforge.readers.fcs",
    "triton": "caloforge.readers.triton",
}
"""Modules with a function ``check(bundle, how) -> Verdict``."""


def check_bundle(folder: Path, how: How | None = None) -> Verdict:
    """Let the emulator of a bundle's reader read it, and compare with the native model.

    Raises DataError for a bundle that the reader cannot use.
    """
    bundle = Bundle(folder)
    if bundle.card.target not in CHECKS:
        raise DataError(f"{folder} is for {bundle.card.target!r}, which is not known here")
    check: Callable[..., Verdict] = import_module(CHECKS[bundle.card.target]).check
    return check(bundle, how or How())


__all__ = ["CHECKS", "check_bundle"]
