"""The calorimeter of CaloGAN by the plain angles of the beam axis.

The azimuth wraps, and takes a flip of x to pi minus itself, which is no mirror image: prefer
``atlas_em``, whose angles are those of the authors, unless plain ones are wanted.
"""

from caloforge.detector import Condition, Detector, Symmetry
from caloforge.detectors.atlas_em import ATLAS_EM, shower_features

CONDITIONS = (
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
    conditions=CONDITIONS,
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
