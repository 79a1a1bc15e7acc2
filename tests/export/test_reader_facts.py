"""What the card of a bundle tells its reader's emulator is checked before it is used."""

import pytest

from caloforge.detectors import ALICE_ZN
from caloforge.errors import DataError
from caloforge.export.bundle import CARD, BundleCard, check_bundle

MESH = {"mesh": [9, 16, 48], "latents": 8, "cell_r_mm": 1.0, "cell_z_mm": 1.0}
GRID = {"NCellsZ": 3, "NCellsX": 4, "NCellsY": 5, "CellSizeX": 1.0, "CellSizeY": 1.0}
FAULTS = {
    "par04": [({}, "mesh"), (MESH | {"mesh": [10**9] * 3}, "mesh"), (MESH | {"mesh": [1]}, "mesh")],
    "ddml": [({}, "NCellsZ"), (GRID | {"CellSizeX": -1}, "CellSizeX")],
    "ddml-library": [({}, "NCellsZ"), (GRID | {"NCellsX": 2**62}, "NCellsX")],
    "fcs-ganv2": [({}, "pid"), ({"pid": 22, "eta": [1]}, "eta"), ({"pid": 7, "eta": [1, 2]}, "7")],
    "o2": [({"classifier": "x"}, "classifier"), ({"reference_hits": 3}, "reference_hits")],
    "triton": [({}, "model"), ({"model": ["x"]}, "model")],
}


@pytest.mark.parametrize(
    ("target", "reader", "says"),
    [(target, *fault) for target, faults in FAULTS.items() for fault in faults],
)
def test_facts_that_a_reader_cannot_use_are_one_line(tmp_path, target, reader, says):
    card = BundleCard(
        target=target, detector=ALICE_ZN, latent_size=4, sampling="rounding", training_ranges={},
        files={}, reader=reader, generator_sha256="", recipe={}, caloforge_version="0",
    )  # fmt: skip
    (tmp_path / CARD).write_text(card.to_json())
    with pytest.raises(DataError, match=says) as failure:
        check_bundle(tmp_path)
    assert str(tmp_path) in str(failure.value)
    assert "\n" not in str(failure.value)
