"""The ALICE proton Zero Degree Calorimeter (ZP).

Geometry: AliceO2 ``Detectors/ZDC/base/include/ZDCBase/Geometry.h`` (56 x 30 quartz fibres, pitch
4 mm). Its real towers are four vertical strips (``o2``); the papers sum quadrants (``paper-zp``).
The front faces are at +11251.8 and -11253.3 cm. Symmetric under y -> -y only, since the magnets
disperse protons along x.

How they do is known of the transport behind the shipped sample alone (card of data/samples). There
a network cannot find a shower without it, hence features that show it; ALICE's own line is another,
and its particles of a few GeV would be dispersed by metres, hence an end to where points may lie.
"""

import numpy as np

from caloforge.detector import Detector, Layer, Symmetry
from caloforge.detectors.alice_zn import TOWERS, ZDC_CONDITIONS, zdc_features
from caloforge.features import Dispersion
from caloforge.readout import checkerboard, quadrants

SHAPE = (56, 30)
HALF_WIDTH_CM = 11.2
DISTANCE_CM = 11252.0
DISPERSION = Dispersion(shift_cm=12.0, reference_gev=1380.0)
"""Of the shipped sample: 12 cm x (1380 GeV / p - 1)."""

ALICE_ZP = Detector(
    name="alice_zp",
    title="ALICE ZP",
    quantity="photons",
    unit="counts",
    counts=True,
    layers=(Layer(name="fibres", shape=SHAPE, cell_mm=(4.0, 4.0), depth_mm=1500.0),),
    conditions=ZDC_CONDITIONS,
    features=zdc_features(
        half_width_cm=HALF_WIDTH_CM,
        pitch_cm=0.4,
        distance_cm=DISTANCE_CM,
        dispersion=DISPERSION,
        within_cm=4 * HALF_WIDTH_CM,
    ),
    channels=(
        checkerboard(
            SHAPE,
            scheme="paper-zp",
            common_parity=0,
            towers=quadrants(SHAPE, (2, 3, 0, 1)),
            labels=TOWERS,
            source="public code of arXiv:2406.03263, get_channel_masks: scheme B of zdc.md b1",
        ),
        checkerboard(
            SHAPE,
            scheme="o2",
            common_parity=0,
            towers=4 * np.indices(SHAPE)[0] // SHAPE[0],
            labels=TOWERS,
            source="O2 SpatialPhotonResponse.cxx: tower int(4 * x / 56), scheme C of zdc.md b1",
        ),
    ),
    symmetries=(Symmetry(), Symmetry(flip_y=True)),
    distance_cm=DISTANCE_CM,
)
