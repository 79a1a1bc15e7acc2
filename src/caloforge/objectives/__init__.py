"""Terms by the name they carry in recipes, logs and on the command line."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from math import isfinite
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from caloforge.documents import flaw_of
from caloforge.errors import UsageError
from caloforge.extensions import Registry, defined_in, name_of
from caloforge.objectives.adversarial import (
    R1,
    R2,
    FlippedLabels,
    GradientPenalty,
    Hinge,
    Minimax,
    NonSaturating,
    Paired,
    Wasserstein,
)
from caloforge.objectives.core import GanStep, NonFinite, Objective, Rows, Term, renamed
from caloforge.objectives.diversity import (
    BalancedDiversity,
    DiversitySensitive,
    LatentContrast,
    LogRatio,
    ModeSeeking,
    SelectiveDiversity,
)
from caloforge.objectives.gan_step import PLAYERS
from caloforge.objectives.physics import (
    AttributeRegression,
    EnergyConditioning,
    Intensity,
    ShowerCentre,
    SoftSparsity,
)
from caloforge.objectives.score import ConditionalMean, EnergyScore, LocalScore


def plays(term: type[Term]) -> bool:
    """Whether a class has a share for a player."""
    return any(getattr(term, player) is not getattr(Term, player) for player in PLAYERS)


def terms_in(module: ModuleType) -> Iterator[tuple[str, type[Term]]]:
    """Terms that a module defines, by the name of their class."""
    for piece in defined_in(module):
        if inspect.isclass(piece) and issubclass(piece, Term) and plays(piece):
            yield name_of(piece), piece


def own_terms() -> dict[str, type[Term]]:
    """Terms of this package: a new one is found in whatever module of it stands."""
    names = [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)]
    return dict(sorted(pair for name in names for pair in terms_in(importlib.import_module(name))))


TERMS: Registry[type[Term]] = Registry(
    "term", "terms", own_terms(), terms_in, "a term is a class below Term"
)


def subclasses(kind: type[Term]) -> Iterator[type[Term]]:
    """All classes below a class, wherever they were defined."""
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


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
    if isinstance(record, Objective):
        return record
    if not isinstance(record, Mapping):
        raise UsageError(f"objective: name terms and their weights, not {record!r}")
    return Objective(terms=tuple(_weighed(name, fields, terms) for name, fields in record.items()))


def term_of_name(name: str) -> type[Term]:
    """A term of this package, of an imported module, or of a class that Python knows already.

    Raises UsageError with the names that exist.
    """
    if name in TERMS:
        return TERMS[name]
    matches = [term for term in subclasses(Term) if term.__name__ == name and plays(term)]
    # A notebook defines a class again and again: the last one counts.
    return matches[-1] if matches else TERMS.require(name, "objective: ")


def _weighed(
    name: str, fields: Mapping[str, Any], terms: Mapping[str, type[Term]] | None
) -> tuple[float, Term]:
    """A term and its weight, 1 by default."""
    kind = term_of_name(name) if terms is None else terms.get(name)
    if kind is None:
        raise UsageError(f"objective: no term {name}; there are {', '.join(sorted(terms or ()))}")
    if not isinstance(fields, Mapping):
        raise UsageError(f"objective.{name}: set objective.{name}.weight, not {fields!r}")
    weight = fields.get("weight", 1.0)
    numeric = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not numeric or not isfinite(weight):
        raise UsageError(f"objective.{name}.weight: a finite number, not {weight!r}")
    try:
        numbers = {field: value for field, value in fields.items() if field != "weight"}
        return float(weight), kind(**numbers)
    except ValidationError as error:
        raise UsageError(f"objective.{name}.{flaw_of(error)}") from error


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
