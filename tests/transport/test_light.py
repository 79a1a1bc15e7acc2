"""Light of fibres against a loop that counts rays, and tables against their grid."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caloforge.errors import DataError
from caloforge.transport.light import Formula, Table, photons_per_mm, threshold_mev


def rays_kept(beta: float, cosine: float, rays: int = 20001) -> float:
    """Share of a cone of rays inside the aperture, ray by ray."""
    n = 1.46
    if beta * n <= 1:
        return 0.0
    emission, tilt, limit = math.acos(1 / (beta * n)), math.acos(cosine), math.asin(0.22 / n)
    n_rays = 0
    for step in range(rays):
        around = 2 * math.pi * (step + 0.5) / rays
        along = math.cos(tilt) * math.cos(emission)
        along += math.sin(tilt) * math.sin(emission) * math.cos(around)
        n_rays += math.acos(max(-1.0, min(1.0, along))) < limit
    return n_rays / rays


@pytest.mark.parametrize("beta", [0.6, 0.7, 0.9, 0.99999])
@pytest.mark.parametrize("cosine", [-0.5, 0.0, 0.6, 0.7, 0.8, 0.97])
def test_formula_counts_rays(beta: float, cosine: float) -> None:
    n = 1.46
    sine2 = max(0.0, 1 - 1 / (beta * n) ** 2)
    emitted = 2 * math.pi / 137.035999 * (1 / 300e-6 - 1 / 600e-6) * sine2
    one = np.ones(1)
    actual = Formula()(beta * one, cosine * one, 0 * one)[0]
    assert actual == pytest.approx(emitted * rays_kept(beta, cosine), abs=emitted * 2e-4 + 1e-12)


@given(st.floats(0, 1), st.floats(-1, 1))
def test_light_is_finite_and_never_negative(beta: float, cosine: float) -> None:
    actual = Formula()(np.array([beta]), np.array([cosine]), np.zeros(1))[0]
    assert 0 <= actual <= photons_per_mm(np.array([1.0]))[0]


def test_thresholds_are_those_of_quartz() -> None:
    assert threshold_mev(0.511) == pytest.approx(0.190, abs=0.003)
    assert threshold_mev(139.57) == pytest.approx(52, abs=1)


def written(path: Path, **changes: object) -> Path:
    arrays: dict[str, object] = {
        "beta": np.array([0.6, 1.0]),
        "cosine": np.array([0.0, 0.5, 1.0]),
        "impact": np.array([0.0]),
        "photons_per_mm": np.arange(6.0).reshape(2, 3, 1),
    }
    np.savez(path, **{**arrays, **changes})  # type: ignore[arg-type]
    return path


def test_a_table_is_read_between_its_points(tmp_path: Path) -> None:
    table = Table.read(written(tmp_path / "light.npz"))
    beta, cosine = np.array([0.8, 1.0, 0.5, 0.6]), np.array([0.25, 1.0, 0.5, -1.0])
    assert table(beta, cosine, np.zeros(4)).tolist() == pytest.approx([2.0, 5.0, 0.0, 0.0])
    assert not table.needs_impact


def test_an_impact_axis_counts(tmp_path: Path) -> None:
    grid = np.stack([np.full((2, 3), 2.0), np.full((2, 3), 4.0)], axis=-1)
    path = written(tmp_path / "light.npz", impact=np.array([0.0, 1.0]), photons_per_mm=grid)
    table = Table.read(path)
    assert table.needs_impact
    assert table(np.ones(2), np.ones(2), np.array([0.25, 2.0])).tolist() == [2.5, 4.0]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"photons_per_mm": np.zeros((3, 2, 1))}, "axes say otherwise"),
        ({"beta": np.array([1.0, 0.5])}, "increase"),
        ({"photons_per_mm": np.full((2, 3, 1), np.nan)}, "finite"),
        ({"beta": np.array([{}, {}])}, "npz of beta"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        Table.read(written(tmp_path / "light.npz", **changes))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz"):
        Table.read(tmp_path / "none.npz")
