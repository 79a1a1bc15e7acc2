"""Old names of public functions, classes and arguments: they work, with a DeprecationWarning."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

OLD_NAMES = {
    "Answer": "evaluate.gate.limits.CheckResult",
    "Candidate": "evaluate.result.ResultRow",
    "Compared": "evaluate.metrics.metric.MetricResult",
    "Judgement": "evaluate.result.EvaluationResult",
    "Told": "evaluate.metrics.classifier.ClassifierResult",
    "Verdict": "evaluate.gate.limits.GateResult",
    "compare": "evaluate.engine.two_sample_metrics",
    "examine": "evaluate.engine.add_two_sample_metrics",
    "inspect": "evaluate.gate.negative_controls.apply_gate",
    "judge": "evaluate.engine.evaluate",
    "report": "report.pages.report",
    "table": "report.tables.table",
}


def old_name(name: str) -> Any:
    """What an old name of ``caloforge.evaluate`` stands for; AttributeError where it is none."""
    if name not in OLD_NAMES:
        raise AttributeError(f"module 'caloforge.evaluate' has no attribute {name!r}")
    module, new = f"caloforge.{OLD_NAMES[name]}".rsplit(".", 1)
    _warn(f"caloforge.evaluate.{name}", f"{module}.{new}")
    return getattr(importlib.import_module(module), new)


def renamed_arguments(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take old names of keyword arguments: ``old="new"``."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in names.keys() & kwargs.keys():
                _warn(f"{function.__name__}({old}=)", f"{names[old]}=")
                kwargs[names[old]] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapper

    return decorate


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} is now {new}", DeprecationWarning, stacklevel=4)
