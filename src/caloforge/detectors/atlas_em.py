"""The three-layer lead / liquid-argon calorimeter of CaloGAN.

Geometry: hep-lbdl/CaloGAN ``generation/src/{DetectorConstruction,SteppingAction}.cc`` (80 units of
2 mm lead and 4 mm argon, read out over +-240 mm; calo.md b1). Axis 0 is x ("phi" in the papers'
pictures), axis 1 is y ("eta"). A cell holds the deposits in lead and argon, in GeV.
"""

import math
from typing import Any

from caloforge.detector import Condition, Detector, Layer, Symmetry
from caloforge.features import Feature, impact_features
from caloforge.readout import by_layer

LAYERS = (
    Layer(name="layer_0", shape=(3, 96), cell_mm=(160.0, 5.0), depth_mm=90.0),
    Layer(name="layer_1", shape=(12, 12), cell_mm=(40.0, 40.0), depth_mm=347.0),
    Layer(name="layer_2", shape=(12, 6), cell_mm=(40.0, 80.0), depth_mm=43.0),
)

CONDITIONS = (
    Condition(name="E", unit="GeV", meaning="kinetic energy"),
    Condition(name="theta", unit="rad", meaning="arccos(py / p)", axis="y", mirror_at=math.pi / 2),
    Condition(name="phi", unit="rad", meaning="arctan(-px / pz)", axis="x"),
    Condition(name="x0", unit="mm", meaning="impact on the front face", axis="x"),
    Condition(name="y0", unit="mm", meaning="impact on the front face", axis="y"),
)
"""The angles are those of the authors (calo.md b2): theta near pi / 2, phi near 0."""

DEPTHS_CM = (0.0, 6.0, 16.0, 41.0)
"""The front face, where showers start, are brightest, and end."""
SUB_CELL_CM = (2.0, 1.0, 0.5)
"""Waves down to the pitch of the first layer along y."""


def shower_features(flights: dict[str, dict[str, Any]]) -> tuple[Feature, ...]:
    """Energy, slopes, and where the straight track passes the depths that make a shower.

    Cells of 40 mm see little of a shower of 30 mm but where in the cell its axis is, which
    depends on position, angle and depth together (docs/choices.md, "layered showers").
    ``flights``: by axis, the conditions that tell the track, and how.
    """
    found = [
        Feature(name="log_energy", kind="log", of=("E",)),
        Feature(name="energy", kind="value", of=("E",)),
    ]
    for axis, flight in flights.items():
        of, direction = flight["of"][1:], flight["direction"]
        found.append(Feature(name=f"slope_{axis}", kind="slope", of=of, direction=direction))
        for depth_cm in DEPTHS_CM:
            fine = SUB_CELL_CM if axis == "y" and depth_cm == DEPTHS_CM[1] else ()
            found += impact_features(
                distance_cm=depth_cm,
                wavelengths_cm=(32.0, 16.0, 8.0, 4.0, *fine),
                name=f"{axis}_at_{depth_cm:g}cm",
                vertex_cm=0.1,
                **flight,
            )
    return tuple(found)


ATLAS_EM = Detector(
    name="atlas_em",
    title="Pb/LAr EM calorimeter",
    quantity="energy",
    unit="GeV",
    counts=False,
    quantum=1e-3,
    layers=LAYERS,
    conditions=CONDITIONS,
    features=shower_features(
        {
            "x": {"of": ("x0", "phi"), "direction": "phi"},
            "y": {"of": ("y0", "theta", "phi"), "direction": "theta"},
        }
    ),
    channels=(
        by_layer(
            {layer.name: layer.cells for layer in LAYERS}, "energy of each layer, arXiv:1712.10321"
        ),
    ),
    energy="E",
    symmetries=tuple(
        Symmetry(flip_x=flip_x, flip_y=flip_y)
        for flip_y in (False, True)
        for flip_x in (False, True)
    ),
)
