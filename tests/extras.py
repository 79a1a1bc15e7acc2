"""Tests of optional packages: skipped where they are missing, unless CI promises them."""

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

REQUIRED = "CALOFORGE_EXTRAS"
"""Environment variable of the CI stage that installs the extras: there nothing may skip."""


def needs(package: str) -> Any:
    """The package; skips the test where it is missing, fails where CI promised it."""
    if find_spec(package) is None and not os.environ.get(REQUIRED):
        pytest.skip(f"{package} is not installed")
    return import_module(package)
