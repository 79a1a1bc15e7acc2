"""Terms by the name they carry in recipes, logs and on the command line."""

from collections.abc import Mapping
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
from caloforge.objectives.contrast import LatentContrast
from caloforge.objectives.core import NonFinite, Objective, Round, Rows, Term
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
from caloforge.objectives.score import EnergyScore

TERMS: dict[str, type[Term]] = {
    term.__name__: term
    for term in (
        AttributeRegression,
        BalancedDiversity,
        DiversitySensitive,
        EnergyConditioning,
        EnergyScore,
        FlippedLabels,
        GradientPenalty,
        Hinge,
        Intensity,
        LatentContrast,
        LocalScore,
        LogRatio,
        Minimax,
        ModeSeeking,
        NonSaturating,
        Paired,
        R1,
        R2,
        SelectiveDiversity,
        ShowerCentre,
        SoftSparsity,
        Wasserstein,
    )
}


def objective_record(objective: Objective) -> dict[str, dict[str, Any]]:
    """An objective as plain data: {term: {weight, fields}}."""
    return {
        type(term).__name__: {"weight": weight, **term.model_dump()}
        for weight, term in objective.terms
    }


def objective_from_record(
    record: Objective | Mapping[str, Mapping[str, Any]], *, terms: Mapping[str, type[Term]] = TERMS
) -> Objective:
    """The inverse of ``objective_record``; raises UsageError with the names that exist."""
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


__all__ = [
    "R1",
    "R2",
    "TERMS",
    "AttributeRegression",
    "BalancedDiversity",
    "DiversitySensitive",
    "EnergyConditioning",
    "EnergyScore",
    "FlippedLabels",
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
    "Round",
    "Rows",
    "SelectiveDiversity",
    "ShowerCentre",
    "SoftSparsity",
    "Term",
    "Wasserstein",
]
