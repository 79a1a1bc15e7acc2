"""The 2-D benchmark of arXiv:2207.01561, section 4.1, as a detector of two signed coordinates.

Nine classes have centres on {-100, 0, 100}^2; points scatter about them with a standard deviation
of 1 or 10. The conditions are the class, one column each, and the spread bit.
"""

from caloforge.detector import Condition, Detector, Layer
from caloforge.detector.features import Feature
from caloforge.detector.readout import Channels
from caloforge.detectors.facts import DetectorFacts

CENTRES = tuple((float(x), float(y)) for x in (-100, 0, 100) for y in (-100, 0, 100))
DEVIATIONS = (1.0, 10.0)
"""Standard deviation of each coordinate, without and with the spread bit."""
COLUMNS = (*(f"class_{number}" for number in range(len(CENTRES))), "spread")

POINTS = Detector(
    name="points",
    title="2-D points",
    quantity="coordinates",
    unit="1",
    counts=False,
    signed=True,
    quantum=100.0,
    layers=(
        Layer(name="x", shape=(1, 1), cell_mm=(1.0, 1.0)),
        Layer(name="y", shape=(1, 1), cell_mm=(1.0, 1.0)),
    ),
    conditions=tuple(Condition(name=name, unit="1") for name in COLUMNS),
    features=tuple(Feature(name=name, kind="value", of=(name,)) for name in COLUMNS),
    channels=(
        Channels(
            scheme="coordinates", labels=("x", "y"), of_cell=(0, 1), source="arXiv:2207.01561"
        ),
    ),
)

FACTS = DetectorFacts(detector=POINTS)
