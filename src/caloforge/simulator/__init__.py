"""Conditions in physical units in, showers in physical units out; needs no torch."""

from caloforge.simulator.card import CARD, GRAPH, REFERENCE, SimulatorCard, read_card
from caloforge.simulator.shipped import find_simulator, shipped_simulators
from caloforge.simulator.simulator import OutsideDomain, Simulator

__all__ = [
    "CARD",
    "GRAPH",
    "REFERENCE",
    "OutsideDomain",
    "Simulator",
    "SimulatorCard",
    "find_simulator",
    "read_card",
    "shipped_simulators",
]
