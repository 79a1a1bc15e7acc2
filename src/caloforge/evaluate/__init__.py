"""Judgement of generated showers against real ones; knows only detectors and arrays, no torch.

Everything takes plain arrays of anyone's showers: ``showers_of`` makes showers of them.
"""

from caloforge.evaluate.arrays import plain_detector, showers_of
from caloforge.evaluate.attributes import Attribute, attributes
from caloforge.evaluate.classifier import Told, classify
from caloforge.evaluate.conditional import ConditionalW1, conditional_w1
from caloforge.evaluate.correlation import Correlations, correlation, correlations
from caloforge.evaluate.distances import w1, w1_channels
from caloforge.evaluate.examination import examine
from caloforge.evaluate.gaussian import fpd, kpd
from caloforge.evaluate.inspection import inspect
from caloforge.evaluate.judge import judge
from caloforge.evaluate.judgement import Candidate, Difference, Judgement
from caloforge.evaluate.layered import calogan
from caloforge.evaluate.layered_checks import layered_checks
from caloforge.evaluate.matching import matched
from caloforge.evaluate.measured import Measured
from caloforge.evaluate.memorisation import Memory, memorisation
from caloforge.evaluate.neighbours import Fidelity, fidelity
from caloforge.evaluate.observables import observables, observe
from caloforge.evaluate.regression import Readable, read_back
from caloforge.evaluate.report import report
from caloforge.evaluate.response import Response, response
from caloforge.evaluate.score import fast_score
from caloforge.evaluate.separation import (
    calogan_edges,
    challenge_edges,
    kolmogorov_smirnov,
    mann_whitney,
    separation_power,
)
from caloforge.evaluate.slopes import Slope, slopes
from caloforge.evaluate.table import table
from caloforge.evaluate.transfer import Transfer, transfer
from caloforge.evaluate.traversal import Traversal, traverse
from caloforge.evaluate.two_sample import Compared, compare
from caloforge.evaluate.verdict import Answer, Verdict
from caloforge.evaluate.widening import widened

__all__ = [
    "Answer",
    "Attribute",
    "Candidate",
    "Compared",
    "ConditionalW1",
    "Correlations",
    "Difference",
    "Fidelity",
    "Judgement",
    "Measured",
    "Memory",
    "Readable",
    "Response",
    "Slope",
    "Told",
    "Transfer",
    "Traversal",
    "Verdict",
    "attributes",
    "calogan",
    "calogan_edges",
    "challenge_edges",
    "classify",
    "compare",
    "conditional_w1",
    "correlation",
    "correlations",
    "examine",
    "fast_score",
    "fidelity",
    "fpd",
    "inspect",
    "judge",
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
    "report",
    "response",
    "separation_power",
    "showers_of",
    "slopes",
    "table",
    "transfer",
    "traverse",
    "w1",
    "w1_channels",
    "widened",
]
