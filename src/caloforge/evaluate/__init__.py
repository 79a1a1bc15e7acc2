"""Judgement of generated showers against real ones; knows only detectors and arrays, no torch."""

from caloforge.evaluate.conditional import ConditionalW1, conditional_w1
from caloforge.evaluate.distances import w1, w1_channels
from caloforge.evaluate.judge import judge
from caloforge.evaluate.judgement import Candidate, Difference, Judgement
from caloforge.evaluate.measured import Measured
from caloforge.evaluate.score import fast_score
from caloforge.evaluate.table import table

__all__ = [
    "Candidate",
    "ConditionalW1",
    "Difference",
    "Judgement",
    "Measured",
    "conditional_w1",
    "fast_score",
    "judge",
    "table",
    "w1",
    "w1_channels",
]
