"""Means and scales as O2 reads them: every way in which the file can stop it."""

import numpy as np
import pytest

from caloforge.errors import DataError
from caloforge.export.o2 import Scales, identity_scales, parse_block, raw_input, read_scales, stof
from exported import NEUTRONS, RUN_EXAMPLE

SAE_MEANS = (1366.67, -7.84e-8, 1.45e-7, 1.066e-3, 9.91e-3, 1.985e-2, 39.11, 353.66, 0.06294)
SAE_SCALES = (1259.76, 4.15e-6, 4.42e-6, 0.02453, 0.2346, 0.2581, 1858.3, 454.97, 0.25653)
"""Of a model that O2 was once used with."""


def scales_text(means=SAE_MEANS, scales=SAE_SCALES, *, before="", between="\n") -> str:
    blocks = ["".join(f"{value}\n" for value in part) for part in (means, scales)]
    return f"{before}#means\n{blocks[0]}{between}#scales\n{blocks[1]}"


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "scales.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def test_the_run_example_is_scaled_as_by_hand(write):
    scaled = read_scales(write(scales_text())).apply(np.float32(RUN_EXAMPLE))
    by_hand = [(513.318 - 1366.67) / 1259.76, (1.4543e-8 + 7.84e-8) / 4.15e-6]
    np.testing.assert_allclose(scaled[:2], by_hand, rtol=1e-6)
    assert scaled[0] == pytest.approx(-0.677392, abs=1e-6)
    assert scaled[6] == pytest.approx((-513.318 - 39.11) / 1858.3, rel=1e-6)
    assert scaled[8] == pytest.approx(-0.06294 / 0.25653, rel=1e-6)
    assert scaled.dtype == np.float32


def test_charge_in_thirds_is_the_charge_again_if_mean_and_scale_are_tripled():
    proton = np.float32([[*RUN_EXAMPLE[:8], 1.0]])
    raw = raw_input(proton)
    assert raw[0, 8] == 3
    thirds = (raw[0, 8] - 3 * 0.06294) / (3 * 0.25653)
    assert thirds == pytest.approx((1 - 0.06294) / 0.25653, rel=1e-6)
    assert proton[0, 8] == 1


def test_our_scales_hand_over_physical_conditions_bit_by_bit(write):
    path = write(identity_scales().text())
    assert path.read_bytes() == (
        b"#means\n" + b"0.0\n" * 9 + b"\n#scales\n" + b"1.0\n" * 8 + b"3.0\n"
    )
    conditions = NEUTRONS.astype(np.float32)
    np.testing.assert_array_equal(read_scales(path).apply(raw_input(conditions)), conditions)


def test_numbers_read_back_as_the_same_float32(write, rng):
    expected = Scales(*rng.lognormal(0, 8, (2, 9)).astype(np.float32))
    actual = read_scales(write(expected.text()))
    np.testing.assert_array_equal(actual.means, expected.means)
    np.testing.assert_array_equal(actual.scales, expected.scales)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (scales_text().replace("\n", "\r\n"), "CR LF"),
        (scales_text().replace("#means", "# means"), "0 numbers follow #means"),
        (scales_text().replace("#means", "#means "), "0 numbers follow #means"),
        (scales_text(between=""), "stops at '#scales'"),
        (scales_text(between="\n\n").replace("#scales", "#means"), "0 numbers follow #scales"),
        (scales_text(SAE_MEANS[:8]), "8 numbers follow #means"),
        (scales_text((*SAE_MEANS, 1.0)), "10 numbers follow #means"),
        (scales_text((1e-40, *SAE_MEANS[1:])), "float32 cannot hold"),
        (scales_text((1e39, *SAE_MEANS[1:])), "float32 cannot hold"),
        (scales_text(scales=(0.0, *SAE_SCALES[1:])), "a scale is 0"),
        (scales_text().replace("1366.67", "energy"), "stops at 'energy'"),
        (scales_text().replace("1366.67", "nan"), "stops at 'nan'"),
        (scales_text().encode("utf-16"), "codec can't decode"),
        ("", "0 numbers follow #means"),
    ],
)
def test_files_that_stop_o2_are_refused_in_one_line(write, text, message):
    with pytest.raises(DataError, match=message) as refusal:
        read_scales(write(text))
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="absent"):
        read_scales(tmp_path / "absent.txt")


def test_lines_before_a_block_are_skipped_and_text_behind_a_number_is_ignored(write):
    text = scales_text(before="made by hand\n\n").replace("1366.67", " 1366.67 GeV")
    assert read_scales(write(text)).means[0] == np.float32(1366.67)


def test_the_last_block_ends_with_the_file_or_an_empty_line(tmp_path):
    assert parse_block(iter(["x", "#means", "1", "2"]), "#means", tmp_path) == [1, 2]
    assert parse_block(iter(["#means", "1", "", "2"]), "#means", tmp_path) == [1]
    assert parse_block(iter(["#mean", "1"]), "#means", tmp_path) == []


@pytest.mark.parametrize("line", ["1", "+1.5e3", " .5", "5.", "-1E-8", "0", "2e-38x"])
def test_stof_reads_what_c_does(line, tmp_path):
    assert stof(line, tmp_path) == float(line.rstrip("x"))
