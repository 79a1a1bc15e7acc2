"""Detectors as data: layers, conditions, read-out, features, symmetries and matter."""

from caloforge.detector.detector import Axis, Condition, Detector, Layer, Symmetry
from caloforge.detector.features import Feature
from caloforge.detector.readout import Channels

__all__ = ["Axis", "Channels", "Condition", "Detector", "Feature", "Layer", "Symmetry"]
