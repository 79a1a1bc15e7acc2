"""The ALICE proton Zero Degree Calorimeter (ZP).

56 x 30 quartz fibres in brass, pitch 4 mm. Its real towers are four vertical strips (``o2``); the
papers sum quadrants (``paper-zp``). The front faces are at +11251.8 and -11253.3 cm. Symmetric
under y -> -y only, since the magnets disperse protons along x.

How they do is known of the transport behind the shipped sample alone (card of data/samples). There
a network cannot find a shower without it, hence features that show it; ALICE's own line is another,
and its particles of a few GeV would be dispersed by metres, hence an end to where points may lie.
"""

import numpy as np

from caloforge.detector import Detector, Layer, Symmetry
from caloforge.detector.features import Dispersion
from caloforge.detector.matter import BRASS, FibreStack
from caloforge.detector.readout import checkerboard, quadrants
from caloforge.detectors import zdc
from caloforge.detectors.facts import AliceNames, DetectorFacts
from caloforge.detectors.spectra import OverTheFace, Spectators

SHAPE = (56, 30)
HALF_WIDTH_CM = 11.2
DISTANCE_CM = 11252.0
FIBRES = Layer(name="fibres", shape=SHAPE, cell_mm=(4.0, 4.0), depth_mm=1500.0)
GROOVE_MM = 0.8
DISPERSION = Dispersion(shift_cm=12.0, reference_gev=1380.0)
"""Of the shipped sample: 12 cm x (1380 GeV / p - 1)."""

ALICE_ZP = Detector(
    name="alice_zp",
    title="ALICE ZP",
    quantity="photons",
    unit="counts",
    counts=True,
    layers=(FIBRES,),
    conditions=zdc.CONDITIONS,
    features=zdc.features(
        half_width_cm=HALF_WIDTH_CM,
        grooves=zdc.grooves_of(FIBRES, GROOVE_MM),
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
            labels=zdc.TOWERS,
            source="public code of arXiv:2406.03263, get_channel_masks",
        ),
        checkerboard(
            SHAPE,
            scheme="o2",
            common_parity=0,
            towers=4 * np.indices(SHAPE)[0] // SHAPE[0],
            labels=zdc.TOWERS,
            source="O2 SpatialPhotonResponse.cxx: tower int(4 * x / 56)",
        ),
    ),
    symmetries=(Symmetry(), Symmetry(flip_y=True)),
    distance_cm=DISTANCE_CM,
)

FACTS = DetectorFacts(
    detector=ALICE_ZP,
    samples={"": "zp.h5", "part-2": "zp_part_2.h5"},
    spectra={
        "spectator-protons": Spectators(2212),
        "hadron-mix": OverTheFace((2212, 211, 321), (730.0, 1860.0), half_width_cm=3.8),
    },
    matter=FibreStack(
        absorber=BRASS,
        groove_mm=GROOVE_MM,
        fibre_diameter_mm=0.55,
        source="AliceO2 ZDCBase/Geometry.h",
    ),
    spectator=2212,
    alice=AliceNames(
        o2_parameter="Proton",
        o2_towers="strips",
        o2_image="second",
        sum_columns=("proton_photon_sum",),
    ),
)
