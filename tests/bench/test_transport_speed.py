"""Speed-ups are ratios of measured CPU times, and say what they are not."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.transport_speed import BLOCK, Seconds, ratio, speed_up, with_error
from caloforge.data.showers import Showers, write
from caloforge.detectors import ALICE_ZN
from caloforge.errors import DataError
from caloforge.machine import processor

Run = Callable[..., tuple[int, str, str]]
MICROSECONDS = 3.0


def file(path: Path, energies: list[float], seconds: list[float] | None, **message: str) -> Path:
    rows = len(energies)
    conditions = np.zeros((rows, 9))
    conditions[:, 0] = conditions[:, 6] = energies
    showers = Showers(
        ALICE_ZN,
        np.zeros((rows, ALICE_ZN.cells), np.uint16),
        conditions,
        np.arange(rows),
        np.full(rows, 22, np.int32),
        None if seconds is None else np.array(seconds, np.float32),
        {"engine": "Geant4 test", **message},
    )
    write(path, showers)
    return path


def simulator() -> Any:
    """Spends a known CPU time a shower."""

    def generate(conditions: np.ndarray[Any, Any], *, seed: int = 0, batch: int = 256) -> None:
        assert len(conditions) == BLOCK
        until = time.process_time() + len(conditions) * MICROSECONDS * 1e-6
        while time.process_time() < until:
            pass

    return SimpleNamespace(detector=ALICE_ZN, generate=generate, folder=Path("busy"))


def test_bands_hold_ratios_of_cpu_times(tmp_path: Path) -> None:
    energies = [20.0, 25.0, 29.0, 500.0, 600.0, 2000.0, 700.0]
    path = file(tmp_path / "t.h5", energies, [1.0, 1.2, 1.4, 5.0, 7.0, 9.0, 0.0])
    actual = speed_up(path, simulator(), rounds=3)
    assert [(band.low_gev, band.high_gev, band.showers) for band in actual.bands] == [
        (10.0, 30.0, 3),
        (300.0, 1000.0, 2),
    ], "a single shower has no error, one that missed cost nothing"
    low, high = actual.bands
    assert (low.transport.value, high.transport.value) == pytest.approx((1.2, 6.0))
    assert low.transport.error == pytest.approx(0.2 / math.sqrt(3))
    assert low.simulator[256].value == pytest.approx(MICROSECONDS * 1e-6, rel=0.3)
    assert low.speed_up[256].value == pytest.approx(1.2 / low.simulator[256].value)


def test_the_label_says_what_the_figure_is_not(tmp_path: Path) -> None:
    other = file(tmp_path / "other.h5", [20.0, 21.0], [1, 1], processor="Abacus")
    actual = speed_up(other, simulator(), trained=False, rounds=2)
    assert actual.label == "speed only: untrained network; cross-machine: Abacus"
    same = file(tmp_path / "same.h5", [20.0, 21.0], [1, 1], processor=processor())
    assert speed_up(same, simulator(), rounds=2).label == ""


@pytest.mark.parametrize(
    ("energies", "seconds", "complaint"),
    [([20.0, 21.0], None, "without a measured time"), ([20.0, 200.0], [1, 1], "no band of energy")],
)
def test_nothing_is_claimed_without_a_time(
    tmp_path: Path, energies: list[float], seconds: list[float] | None, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        speed_up(file(tmp_path / "t.h5", energies, seconds), simulator())


@pytest.mark.parametrize("option", [("--against", "old.json"), ("--detector", "alice_zp")])
def test_the_verb_refuses_what_a_speed_up_does_not_heed(bench: Run, option: tuple[str]) -> None:
    code, _, err = bench("speed", "--transport", "none.h5", *option)
    assert code == 2
    assert f"{option[0]} has no meaning with --transport" in err


def test_the_verb_refuses_a_speed_up_without_transport(bench: Run) -> None:
    code, _, err = bench("speed", "alice_zn")
    assert code == 2
    assert "no speed-up without a measured transport time" in err


def test_errors_of_ratios_add_in_squares() -> None:
    actual = ratio(Seconds(8.0, 0.8), Seconds(2.0, 0.1))
    assert actual.value == 4.0
    assert actual.error == pytest.approx(4 * math.hypot(0.1, 0.05))
    assert with_error(Seconds(72_431, 1_712)) == "72400 +- 1700"
    assert with_error(Seconds(0.036123, 0.00111)) == "0.0361 +- 0.0011"
