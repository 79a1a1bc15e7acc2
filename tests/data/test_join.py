"""Showers of several files as one."""

import pytest

from caloforge.data.samples import sample_path
from caloforge.data.showers import join, read
from caloforge.errors import DataError


def test_joined_rows_stand_one_after_the_other() -> None:
    showers = read(sample_path("alice_zp")).rows(slice(0, 24))
    both = join([showers.rows(slice(0, 8)), showers.rows(slice(8, 24))])
    assert (both.cells == showers.cells).all()
    assert (both.particle == showers.particle).all()


def test_showers_of_different_detectors_are_not_joined() -> None:
    neutron, proton = (
        read(sample_path(name)).rows(slice(0, 8)) for name in ("alice_zn", "alice_zp")
    )
    with pytest.raises(DataError, match="different detectors are not joined: alice_zn, alice_zp"):
        join([neutron, proton])
