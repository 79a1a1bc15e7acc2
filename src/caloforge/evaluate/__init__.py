"""Judgement of generated showers against real ones; knows only detectors and arrays, no torch."""

from caloforge.evaluate.conditional import ConditionalW1, conditional_w1
from caloforge.evaluate.distances import w1, w1_channels
from caloforge.evaluate.score import fast_score

__all__ = ["ConditionalW1", "conditional_w1", "fast_score", "w1", "w1_channels"]
