"""Which check belongs to which reader; each is loaded when it is called."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from caloforge.errors import DataError
from caloforge.readers.bundle import Bundle
from caloforge.readers.verdict import Verdict

CHECKS = {
    "o2": "caloforge.readers.o2_check",
    "par04": "caloforge.readers.par04",
    "ddml": "caloforge.readers.ddml",
    "ddml-library": "caloforge.readers.ddml_library",
    "fcs-ganv2": "caloforge.readers.fcs",
    "triton": "caloforge.readers.triton",
}
"""Modules with a function ``check(bundle, *, library, native) -> Verdict``."""


def check_bundle(folder: Path, *, library: Path | None = None, native: bool = False) -> Verdict:
    """Let the emulator of a bundle's reader read it, and compare with the native model.

    Raises DataError for a bundle that the reader cannot use.
    """
    bundle = Bundle(folder)
    if bundle.card.target not in CHECKS:
        raise DataError(
            f"{folder} is for {bundle.card.target!r}, which this caloforge cannot check"
        )
    check: Callable[..., Verdict] = import_module(CHECKS[bundle.card.target]).check
    return check(bundle, library=library, native=native)


__all__ = ["CHECKS", "check_bundle"]
