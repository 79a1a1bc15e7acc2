"""The three-layer lead / liquid-argon calorimeter of CaloGAN.

Geometry: hep-lbdl/CaloGAN ``generation/src/{DetectorConstruction,SteppingAction}.cc`` (80 units of
2 mm lead and 4 mm argon, read out over +-240 mm; calo.md b1). Axis 0 is x ("phi" in the papers'
pictures), axis 1 is y ("eta"). A cell holds the deposits in lead and argon, in GeV.
"""

import math

from caloforge.detector import Condition, Detector, Layer, Symmetry
from caloforge.features import Feature
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

ATLAS_EM = Detector(
    name="atlas_em",
    title="Pb/LAr EM calorimeter",
    quantity="energy",
    unit="GeV",
    counts=False,
    layers=LAYERS,
    conditions=CONDITIONS,
    features=tuple(
        Feature(name=name, kind="value", of=(name,)) for name in ("E", "theta", "phi", "x0", "y0")
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
