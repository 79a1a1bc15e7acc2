"""The ALICE neutron Zero Degree Calorimeter (ZN).

Geometry: AliceO2 ``Detectors/ZDC/base/include/ZDCBase/Geometry.h`` (44 x 44 quartz fibres, pitch
1.6 mm, front face 112.6 m from the interaction point). A pixel is [x][y] and counts what O2 calls
nphe ("photons" in the papers).
"""

from caloforge.detector import Condition, Detector, Layer, Symmetry
from caloforge.features import Dispersion, Feature, impact_features
from caloforge.readout import checkerboard, quadrants

SHAPE = (44, 44)
TOWERS = ("tower1", "tower2", "tower3", "tower4", "common")

ZDC_CONDITIONS = (
    Condition(name="Energy", unit="GeV", meaning="total energy"),
    Condition(name="Vx", unit="cm", meaning="vertex", vector="V", axis="x"),
    Condition(name="Vy", unit="cm", meaning="vertex", vector="V", axis="y"),
    Condition(name="Vz", unit="cm", meaning="vertex", vector="V"),
    Condition(name="Px", unit="GeV/c", meaning="momentum", vector="P", axis="x"),
    Condition(name="Py", unit="GeV/c", meaning="momentum", vector="P", axis="y"),
    Condition(name="Pz", unit="GeV/c", meaning="momentum", vector="P"),
    Condition(name="mass", unit="MeV", meaning="mass"),
    Condition(name="charge", unit="e", meaning="electric charge"),
)
"""Order and units of the nine conditions, on which all public codes agree."""

DISTANCE_CM = 11260.0


def zdc_features(
    half_width_cm: float,
    pitch_cm: float,
    distance_cm: float,
    dispersion: Dispersion | None = None,
    within_cm: float | None = None,
) -> tuple[Feature, ...]:
    """Features of a particle that flies to a ZDC of that half width and fibre pitch.

    The impact point is vertex + 112.6 m x slope, which standardised momenta hide at low energy.
    Vertex and slope by themselves are left out: they tell particles apart without telling how
    they shower, hence only help to learn the training particles by heart. The wave of one pitch
    tells where in its cell a particle enters: two in three neutral particles that enter at a
    fibre's groove fly through it and leave no light (docs/choices.md, "channelling").
    With a dispersion, waves along x are those of where the bent flight ends; the end of the
    straight one stays as a number, for files of another transport line.
    """
    wavelengths_cm = (*(half_width_cm * times for times in (8, 4, 2, 1)), pitch_cm)
    straight_waves = () if dispersion else wavelengths_cm
    bent = ("Vx", "Px", "Pz", "charge")
    return (
        Feature(name="log_energy", kind="log", of=("Energy",)),
        *impact_features(("Vx", "Px", "Pz"), distance_cm, straight_waves, within_cm=within_cm),
        *(
            impact_features(
                bent, distance_cm, wavelengths_cm, dispersion=dispersion, within_cm=within_cm
            )
            if dispersion
            else ()
        ),
        *impact_features(("Vy", "Py", "Pz"), distance_cm, wavelengths_cm, within_cm=within_cm),
        Feature(name="mass", kind="value", of=("mass",)),
        Feature(name="charge", kind="value", of=("charge",)),
    )


ALICE_ZN = Detector(
    name="alice_zn",
    title="ALICE ZN",
    quantity="photons",
    unit="counts",
    counts=True,
    layers=(Layer(name="fibres", shape=SHAPE, cell_mm=(1.6, 1.6), depth_mm=1000.0),),
    conditions=ZDC_CONDITIONS,
    features=zdc_features(half_width_cm=3.52, pitch_cm=0.16, distance_cm=DISTANCE_CM),
    channels=(
        checkerboard(
            SHAPE,
            scheme="paper-zn",
            common_parity=1,
            towers=quadrants(SHAPE, (0, 1, 2, 3)),
            labels=TOWERS,
            source="O2 calculateChannels, m-wojnar/zdc utils/wasserstein.py: scheme A of zdc.md b1",
        ),
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
            towers=quadrants(SHAPE, (0, 2, 1, 3)),
            labels=TOWERS,
            source="O2 SpatialPhotonResponse.cxx, FastSimToHits: scheme C of zdc.md b1",
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
