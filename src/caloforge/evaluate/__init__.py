"""Evaluation of generated showers against real ones; knows only detectors and arrays, no torch.

Everything takes plain arrays of anyone's showers: ``showers_of`` makes showers of them.
"""

from typing import Any

from caloforge.evaluate.attributes import Attribute, Traversal, attributes, traverse
from caloforge.evaluate.deprecated import OLD_NAMES, old_name
from caloforge.evaluate.engine import add_two_sample_metrics, evaluate, two_sample_metrics
from caloforge.evaluate.gate.limits import CheckResult, GateResult
from caloforge.evaluate.gate.negative_controls import apply_gate
from caloforge.evaluate.inputs import matched, plain_detector, showers_of
from caloforge.evaluate.metrics.classifier import (
    ClassifierResult,
    Transfer,
    classify,
    transfer,
    widened,
)
from caloforge.evaluate.metrics.energy import Response, response
from caloforge.evaluate.metrics.layered import Readable, Slope, layered_checks, read_back, slopes
from caloforge.evaluate.metrics.metric import CellMetric, Metric, MetricResult
from caloforge.evaluate.metrics.neighbours import Fidelity, Memory, fidelity, memorisation
from caloforge.evaluate.metrics.two_sample import (
    Correlations,
    calogan_edges,
    challenge_edges,
    correlation,
    correlations,
    fpd,
    kolmogorov_smirnov,
    kpd,
    mann_whitney,
    separation_power,
)
from caloforge.evaluate.metrics.wasserstein import (
    ConditionalW1,
    conditional_w1,
    fast_score,
    w1,
    w1_channels,
)
from caloforge.evaluate.observables import calogan, observables, observe
from caloforge.evaluate.resampling import Measured
from caloforge.evaluate.result import Difference, EvaluationResult, ResultRow
from caloforge.extensions import make_callable

make_callable(__name__)

__all__ = [
    "Attribute",
    "CellMetric",
    "CheckResult",
    "ClassifierResult",
    "ConditionalW1",
    "Correlations",
    "Difference",
    "EvaluationResult",
    "Fidelity",
    "GateResult",
    "Measured",
    "Memory",
    "Metric",
    "MetricResult",
    "Readable",
    "Response",
    "ResultRow",
    "Slope",
    "Transfer",
    "Traversal",
    "add_two_sample_metrics",
    "apply_gate",
    "attributes",
    "calogan",
    "calogan_edges",
    "challenge_edges",
    "classify",
    "conditional_w1",
    "correlation",
    "correlations",
    "evaluate",
    "fast_score",
    "fidelity",
    "fpd",
    "kolmogorov_smirnov",
    "kpd",
    "layered_checks",
    "mann_whitney",
    "matched",
    "memorisation",
    "observables",
    "observe",
    "plain_detector",
    "read_back",
    "response",
    "separation_power",
    "showers_of",
    "slopes",
    "transfer",
    "traverse",
    "two_sample_metrics",
    "w1",
    "w1_channels",
    "widened",
]


def __getattr__(name: str) -> Any:
    return old_name(name)


def __dir__() -> list[str]:
    return [*__all__, *OLD_NAMES]
