"""Modules that are called like the function of their name: ``caloforge.evaluate(...)``."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class CallableModule(ModuleType):
    """A module whose call is that of the function of its name in ``caloforge.api``."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """The result of the function."""
        package, _, name = self.__name__.partition(".")
        return getattr(import_module(f"{package}.api"), name)(*arguments, **options)


def make_callable(module: str) -> None:
    """Let a module that is being imported be called."""
    sys.modules[module].__class__ = CallableModule
