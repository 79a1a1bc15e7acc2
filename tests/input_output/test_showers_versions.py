"""Every version of the showers format that ever was is still read, from a file kept since then."""

from pathlib import Path

import numpy as np
import pytest

from caloforge.data.showers import ShowerFile, read
from caloforge.io.showers import READERS, VERSION

HERE = Path(__file__).parent
TOTALS = [40, 48, 37, 42, 46, 48, 40, 51, 42, 48]
FIRST = [3, 1, 4, 1, 3, 6, 3, 5, 4, 2, 3, 2, 0, 1, 0, 2]
CONDITIONS = [
    [64.059207, -0.535669373],
    [27.7088847, 0.361595055],
    [2.63623592, 0.947080963],
    [2.63623592, 0.947080963],
]
CPU_SECONDS = [0.47879055, 0.44053245]


def test_each_version_has_a_reader_and_a_fixture():
    assert sorted(READERS) == list(range(1, VERSION + 1))
    for version in READERS:
        assert (HERE / f"showers-v{version}.h5").is_file()


@pytest.mark.parametrize("version", READERS)
def test_values_of_the_fixture(version):
    """Numbers written down when the file was made, not computed again."""
    showers = read(HERE / f"showers-v{version}.h5")
    assert showers.detector.name == "toy_calorimeter"
    assert showers.detector.columns == ("Energy", "Px")
    assert showers.provenance == {"engine": "a pencil", "licence": "none"}
    assert showers.particle.tolist() == [5, 5, 5, 2, 9, 9, 4, 4, 4, 4]
    assert showers.pdg.tolist() == [22, 22, 22, 2112, 22, 22, -211, -211, -211, -211]
    assert showers.total().tolist() == TOTALS
    assert showers.cells[0].tolist() == FIRST
    np.testing.assert_allclose(showers.conditions[::3], CONDITIONS, rtol=1e-6)
    np.testing.assert_allclose(showers.cpu_seconds[:2], CPU_SECONDS, rtol=1e-6)
    with ShowerFile(HERE / f"showers-v{version}.h5") as file:
        assert file.channels_scheme == "halves"
        assert file.channels[0].tolist() == [20, 20]
