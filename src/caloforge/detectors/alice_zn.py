"""The ALICE neutron Zero Degree Calorimeter (ZN).

44 x 44 quartz fibres in a tungsten alloy, pitch 1.6 mm, front face 112.6 m from the interaction
point. Its four towers are quadrants. The public codes disagree about which fibres are common and
about the order of the towers, hence three read-out schemes.
"""

from caloforge.detector import Detector, Layer, Symmetry
from caloforge.detector.matter import TUNGSTEN_ALLOY, FibreStack
from caloforge.detector.readout import checkerboard, quadrants
from caloforge.detectors import zdc
from caloforge.detectors.facts import AliceNames, DetectorFacts
from caloforge.detectors.spectra import OverTheFace, Spectators

SHAPE = (44, 44)
DISTANCE_CM = 11260.0
FIBRES = Layer(name="fibres", shape=SHAPE, cell_mm=(1.6, 1.6), depth_mm=1000.0)
GROOVE_MM = 0.6

ALICE_ZN = Detector(
    name="alice_zn",
    title="ALICE ZN",
    quantity="photons",
    unit="counts",
    counts=True,
    layers=(FIBRES,),
    conditions=zdc.CONDITIONS,
    features=zdc.features(
        half_width_cm=3.52,
        grooves=zdc.grooves_of(FIBRES, GROOVE_MM),
        distance_cm=DISTANCE_CM,
    ),
    channels=(
        checkerboard(
            SHAPE,
            scheme="paper-zn",
            common_parity=1,
            towers=quadrants(SHAPE, (0, 1, 2, 3)),
            labels=zdc.TOWERS,
            source="O2 calculateChannels, m-wojnar/zdc utils/wasserstein.py",
        ),
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
            towers=quadrants(SHAPE, (0, 2, 1, 3)),
            labels=zdc.TOWERS,
            source="O2 SpatialPhotonResponse.cxx, FastSimToHits",
        ),
    ),
    symmetries=tuple(
        Symmetry(flip_x=flip_x, flip_y=flip_y, transpose=transpose)
        for transpose in (False, True)
        for flip_y in (False, True)
        for flip_x in (False, True)
    ),
    distance_cm=DISTANCE_CM,
)

FACTS = DetectorFacts(
    detector=ALICE_ZN,
    samples={"": "zn.h5", "part-2": "zn_part_2.h5"},
    spectra={
        "spectator-neutrons": Spectators(2112),
        "photons": OverTheFace((22,), (10.0, 1400.0)),
        "hadron-mix": OverTheFace((2112, 130, 211, -211, 2212), (30.0, 1400.0)),
    },
    matter=FibreStack(
        absorber=TUNGSTEN_ALLOY,
        groove_mm=GROOVE_MM,
        fibre_diameter_mm=0.365,
        source="AliceO2 ZDCBase/Geometry.h",
    ),
    spectator=2112,
    alice=AliceNames(
        o2_parameter="Neutron",
        o2_towers="quadrants",
        o2_image="first",
        sum_columns=("neutron_photon_sum", "PhotonSum"),
    ),
)
