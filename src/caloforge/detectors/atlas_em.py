"""The three-layer lead / liquid-argon calorimeter of CaloGAN.

Geometry: hep-lbdl/CaloGAN ``generation/src/{DetectorConstruction,SteppingAction}.cc`` (80 units of
2 mm lead and 4 mm argon, read out over +-240 mm). Axis 0 is x ("phi" in the papers'
pictures), axis 1 is y ("eta"). A cell holds the deposits in lead and argon, in GeV.
"""

import math
from typing import Any

from caloforge.detector import Condition, Detector, Layer, Symmetry
from caloforge.detector.features import Feature, impact_features
from caloforge.detector.matter import LEAD, LIQUID_ARGON, PlateStack
from caloforge.detector.readout import by_layer
from caloforge.detectors.facts import DetectorFacts
from caloforge.detectors.spectra import Cone

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
"""The angles are those of the authors (arXiv:1712.10321): theta near pi / 2, phi near 0."""

DEPTHS_CM = (0.0, 6.0, 16.0, 41.0)
"""The front face, where showers start, are brightest, and end."""
SUB_CELL_CM = (2.0, 1.0, 0.5)
"""Waves down to the pitch of the first layer along y."""


def shower_features(flights: dict[str, dict[str, Any]]) -> tuple[Feature, ...]:
    """Energy, slopes, and where the straight track passes the depths that make a shower.

    Cells of 40 mm see little of a shower of 30 mm but where in the cell its axis is, which
    depends on position, angle and depth together (docs/decisions/networks.md).
    ``flights``: by axis, the conditions that tell the track, and how.
    """
    features = [
        Feature(name="log_energy", kind="log", of=("E",)),
        Feature(name="energy", kind="value", of=("E",)),
    ]
    for axis, flight in flights.items():
        of, direction = flight["of"][1:], flight["direction"]
        features.append(Feature(name=f"slope_{axis}", kind="slope", of=of, direction=direction))
        for depth_cm in DEPTHS_CM:
            fine = SUB_CELL_CM if axis == "y" and depth_cm == DEPTHS_CM[1] else ()
            features += impact_features(
                distance_cm=depth_cm,
                wavelengths_cm=(32.0, 16.0, 8.0, 4.0, *fine),
                name=f"{axis}_at_{depth_cm:g}cm",
                vertex_cm=0.1,
                **flight,
            )
    return tuple(features)


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

FACTS = DetectorFacts(
    detector=ATLAS_EM,
    samples={
        "": "em_eplus.h5",
        "part-2": "em_eplus_part_2.h5",
        "eplus-centred": "em_eplus_centred.h5",
        "gamma": "em_gamma.h5",
        "piplus": "em_piplus.h5",
    },
    spectra={
        "eplus": Cone(-11),
        "gamma": Cone(22, (1.1, 99.9), half_width_mm=0.0, opening_rad=0.0),
        "piplus": Cone(211, (1.1, 99.9), half_width_mm=0.0, opening_rad=0.0),
    },
    matter=PlateStack(
        absorber=LEAD,
        active=LIQUID_ARGON,
        absorber_mm=2.0,
        active_mm=4.0,
        units=80,
        width_mm=1000.0,
        source="hep-lbdl/CaloGAN generation/src/DetectorConstruction.cc",
    ),
)

POLAR_CONDITIONS = (
    Condition(name="E", unit="GeV", meaning="kinetic energy"),
    Condition(name="polar", unit="rad", meaning="angle to the z axis"),
    Condition(name="azimuth", unit="rad", meaning="arctan2(py, px)", axis="y"),
    Condition(name="x0", unit="mm", meaning="impact on the front face", axis="x"),
    Condition(name="y0", unit="mm", meaning="impact on the front face", axis="y"),
)

ATLAS_EM_POLAR = Detector(
    name="atlas_em_polar",
    title="Pb/LAr EM calorimeter, plain angles",
    quantity=ATLAS_EM.quantity,
    unit=ATLAS_EM.unit,
    counts=ATLAS_EM.counts,
    quantum=ATLAS_EM.quantum,
    layers=ATLAS_EM.layers,
    conditions=POLAR_CONDITIONS,
    features=shower_features(
        {
            axis: {"of": (f"{axis}0", "polar", "azimuth"), "direction": f"polar_{axis}"}
            for axis in "xy"
        }
    ),
    channels=ATLAS_EM.channels,
    energy="E",
    symmetries=(Symmetry(), Symmetry(flip_y=True)),
)
"""The same calorimeter by the plain angles of the beam axis.

The azimuth wraps, and takes a flip of x to pi minus itself, which is no mirror image: prefer
``atlas_em``, whose angles are those of the authors, unless plain ones are wanted.
"""

POLAR_FACTS = DetectorFacts(detector=ATLAS_EM_POLAR)
