"""Terms by the name they carry in recipes, logs and on the command line."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from pydantic import ValidationError

from caloforge.errors import UsageError
from caloforge.objectives.adversarial import (
    FlippedLabels,
    Hinge,
    Minimax,
    NonSaturating,
    Paired,
    Wasserstein,
)
from caloforge.objectives.conditional_mean import ConditionalMean
from caloforge.objectives.contrast import LatentContrast
from caloforge.objectives.core import GanStep, NonFinite, Objective, Rows, Term, renamed
from caloforge.objectives.diversity import (
    BalancedDiversity,
    DiversitySensitive,
    LogRatio,
    ModeSeeking,
    SelectiveDiversity,
)
from caloforge.objectives.layered import AttributeRegression, EnergyConditioning, SoftSparsity
from caloforge.objectives.local_score import LocalScore
from caloforge.objectives.penalties import R1, R2, GradientPenalty
from caloforge.objectives.physics import Intensity, ShowerCentre
from caloforge.objectives.rules import PLAYERS
from caloforge.objectives.score import EnergyScore


def terms_in(module: str | None = None) -> dict[str, type[Term]]:
    """Terms with a share for a player, by name: all that were imported, or those below a module."""
    found = {}
    for term in subclasses(Term):
        inside = module is None or term.__module__.startswith(f"{module}.")
        if inside and any(getattr(term, player) is not getattr(Term, player) for player in PLAYERS):
            found[term.__name__] = term
    return dict(sorted(found.items()))


def subclasses(kind: type[Term]) -> Iterator[type[Term]]:
    """All classes below a class."""
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
TERMS: dict[str, type[Term]] = terms_in(__name__)
"""Terms of this package: a new one is found in whatever module of it stands."""


def objective_record(objective: Objective) -> dict[str, dict[str, Any]]:
    """An objective as plain data: {term: {weight, fields}}."""
    return {
        type(term).__name__: {"weight": weight, **term.model_dump()}
        for weight, term in objective.terms
    }


def objective_from_record(
    record: Objective | Mapping[str, Mapping[str, Any]],
    *,
    terms: Mapping[str, type[Term]] | None = None,
) -> Objective:
    """The inverse of ``objective_record``, for ``terms`` or for all that were imported.

    Raises UsageError with the names that exist.
    """
    terms = TERMS | terms_in() if terms is None else terms
    if isinstance(record, Objective):
        return record
    if not isinstance(record, Mapping):
        raise UsageError(f"objective: name terms and their weights, not {record!r}")
    return Objective(terms=tuple(_weighed(name, fields, terms) for name, fields in record.items()))


def _weighed(
    name: str, fields: Mapping[str, Any], terms: Mapping[str, type[Term]]
) -> tuple[float, Term]:
    """A term and its weight, 1 by default."""
    if name not in terms:
        raise UsageError(f"objective: no term {name}; there are {', '.join(sorted(terms))}")
    if not isinstance(fields, Mapping):
        raise UsageError(f"objective.{name}: set objective.{name}.weight, not {fields!r}")
    weight = fields.get("weight", 1.0)
    if not isinstance(weight, int | float) or not isfinite(weight):
        raise UsageError(f"objective.{name}.weight: a finite number, not {weight!r}")
    try:
        numbers = {field: value for field, value in fields.items() if field != "weight"}
        return float(weight), terms[name](**numbers)
    except ValidationError as error:
        flaw = error.errors()[0]
        raise UsageError(f"objective.{name}.{flaw['loc'][0]}: {flaw['msg']}") from error


def __getattr__(name: str) -> object:
    return renamed(__name__, name)


__all__ = [
    "R1",
    "R2",
    "TERMS",
    "AttributeRegression",
    "BalancedDiversity",
    "ConditionalMean",
    "DiversitySensitive",
    "EnergyConditioning",
    "EnergyScore",
    "FlippedLabels",
    "GanStep",
    "GradientPenalty",
    "Hinge",
    "Intensity",
    "LatentContrast",
    "LocalScore",
    "LogRatio",
    "Minimax",
    "ModeSeeking",
    "NonFinite",
    "NonSaturating",
    "Objective",
    "Paired",
    "Rows",
    "SelectiveDiversity",
    "ShowerCentre",
    "SoftSparsity",
    "Term",
    "Wasserstein",
]
