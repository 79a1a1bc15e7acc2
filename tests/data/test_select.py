"""Some showers of a file as a file of their own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caloforge.data.samples import sample_path
from caloforge.data.selection import with_bits
from caloforge.data.showers import read
from tests.input_output.raw import write_raw
from tests.input_output.test_showers_file import in_memory


def test_by_particle_and_condition(tmp_path, caloforge):
    source, out = write_raw(tmp_path / "a.h5"), tmp_path / "b.h5"
    everything = in_memory()
    bound = np.sort(np.unique(everything.conditions[:, 0]))[1]
    arguments = ("--pdg", 22, "--pdg", -211, "--where", f"Energy>={bound}")
    code, output, _ = caloforge("data", "select", source, *arguments, "--out", out)
    keep = np.isin(everything.pdg, [22, -211]) & (everything.conditions[:, 0] >= bound)
    assert code == 0
    assert f"{keep.sum()} showers" in output
    actual, expected = read(out), everything.rows(keep)
    for name in ("cells", "conditions", "particle", "pdg", "cpu_seconds"):
        assert np.array_equal(getattr(actual, name), getattr(expected, name))
    assert actual.provenance["engine"] == "a pencil"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--pdg", 13), 3, "no row is of that kind"),
        (("--where", "mass<3"), 2, "no condition mass"),
        (("--where", "Energy~3"), 2, "write CONDITION<NUMBER"),
        (("--where", "Energy<much"), 2, "write CONDITION<NUMBER"),
        (("--bits", 5), 2, "holds counts, and --bits rounds deposits: leave it out"),
        (("--note", "format"), 2, "write NAME=TEXT"),
        (("--note", "format=x"), 3, "provenance may not be called format"),
        (("--note", "sampling_fraction=x"), 3, "sampling_fraction is x, not a positive number"),
    ],
)
def test_what_cannot_be_chosen(tmp_path, caloforge, arguments, code, words):
    source, out = write_raw(tmp_path / "a.h5"), tmp_path / "b.h5"
    exit_code, _, err = caloforge("data", "select", source, *arguments, "--out", out)
    assert exit_code == code
    assert words in err
    assert err.count("\n") == 1
    assert not out.exists()


@given(
    st.lists(st.floats(2.0**-100, 2.0**100, width=32), min_size=1, max_size=20),
    st.integers(1, 23),
)
def test_rounding_is_to_the_nearest_and_keeps_so_many_bits(values, bits):
    given_values = np.array(values, dtype=np.float32)
    actual = with_bits(given_values, bits)
    assert (np.abs(actual / given_values.astype(np.float64) - 1) <= 2.0 ** -(bits + 1)).all()
    mantissa, _ = np.frexp(actual.astype(np.float64))
    assert (mantissa * 2 ** (bits + 1) % 1 == 0).all()


def test_zero_stays_zero():
    assert with_bits(np.zeros(3, np.float32), 5).tolist() == [0, 0, 0]


def test_samples_by_name_wherever_a_file_is_taken(tmp_path, caloforge):
    out = tmp_path / "some.h5"
    arguments = ("data", "select", "atlas_em/gamma", "--where", "E>99", "--bits", 5, "--out", out)
    assert caloforge(*arguments)[0] == 0
    everything = read(sample_path("atlas_em/gamma"))
    mask = everything.conditions[:, 0] > 99
    actual = read(out)
    assert np.array_equal(actual.conditions, everything.conditions[mask])
    np.testing.assert_allclose(actual.cells, everything.cells[mask], rtol=2**-6)
    assert "5 bits of mantissa (within 1.6 %)" in actual.provenance["rounding"]
    assert set(everything.pdg.tolist()) == {22}
    with pytest.raises(FileNotFoundError):
        (tmp_path / "atlas_em").stat()
