"""``data plot``: one figure of a file of showers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caloforge import Showers, read, write
from caloforge.data.samples import sample_path
from caloforge.detectors import POINTS
from caloforge.report import overview
from caloforge.report.overview import MOST_POINTS

Run = Callable[..., tuple[int, str, str]]


def some(tmp_path: Path, name: str, rows: int) -> tuple[Path, Showers]:
    showers = read(sample_path(name)).rows(slice(rows))
    write(tmp_path / f"{name}.h5", showers)
    return tmp_path / f"{name}.h5", showers


def points(tmp_path: Path, rows: int) -> Path:
    cells = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    conditions = np.eye(10)[np.arange(rows) % 9]
    path = tmp_path / "points.h5"
    write(path, Showers(POINTS, cells, conditions, np.arange(rows)))
    return path


def panels(figure: Any) -> dict[str, Any]:
    """Axes by the text below them."""
    return {axes.get_xlabel(): axes for axes in figure.get_axes() if axes.get_xlabel()}


def test_the_figure_shows_the_numbers_of_the_file(tmp_path: Path) -> None:
    path, showers = some(tmp_path, "alice_zn", 64)
    figure = overview(path)
    images = [axes.images[0] for axes in figure.get_axes() if axes.images]
    # A naive twin of the mean image, transposed as it is drawn.
    mean = np.zeros((44, 44))
    for cells in showers.cells:
        mean += cells.reshape(44, 44).T
    np.testing.assert_allclose(images[0].get_array().filled(0), mean / 64)
    totals = [int(image.get_array().filled(0).sum()) for image in images[1:5]]
    titles = [axes.get_title() for axes in figure.get_axes() if "shower" in axes.get_title()]
    assert [int(title.split("\n")[1].split()[0]) for title in titles] == totals
    ids = [title.split(",")[0] for title in titles]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    there = panels(figure)
    assert {"total [photons]", "Energy [GeV]", "mean total of a particle [photons]"} <= set(there)
    counts = there["total [photons]"].patches[0].get_data().values
    assert counts.sum() == 64
    assert "64 showers of 8 particles" in figure.get_suptitle()


def test_layers_without_repeats_show_their_sums(tmp_path: Path) -> None:
    path, showers = some(tmp_path, "atlas_em", 32)
    figure = overview(path)
    bars = [patch.get_height() for patch in panels(figure)["layer"].patches]
    sums = [image.sum() / 32 for image in showers.detector.split(showers.cells).values()]
    np.testing.assert_allclose(bars, sums, rtol=1e-5)
    assert sum("row " in axes.get_title() for axes in figure.get_axes()) == 4


def test_points_are_taken_from_the_whole_file(tmp_path: Path) -> None:
    rows = 2 * MOST_POINTS + 10
    figure = overview(points(tmp_path, rows))
    x = figure.get_axes()[0].lines[0].get_xdata()
    np.testing.assert_array_equal(x, 2 * np.arange(0, rows, 3))


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_the_command_writes_the_same_bytes_again(
    tmp_path: Path, caloforge: Run, ending: str
) -> None:
    path = points(tmp_path, 20)
    outs = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for out in outs:
        code, output, log = caloforge("data", "plot", path, "--out", out)
        assert (code, output, log) == (0, f"{out}: drawn from {path}\n", "")
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert (
        outs[0]
        .read_bytes()
        .startswith({"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending])
    )
    assert caloforge("data", "plot", path, "--out", outs[0])[0] == 2


def test_bad_requests_cost_one_line(tmp_path: Path, caloforge: Run) -> None:
    path = points(tmp_path, 20)
    for code, arguments, words in (
        (2, (path, "--out", tmp_path / "a.gif"), "the suffix is one of .png, .pdf, .svg"),
        (2, (path, "--out", tmp_path / "a.png", "--style", "cubist"), "no style cubist"),
        (3, (tmp_path / "none.h5", "--out", tmp_path / "a.png"), "no such file"),
    ):
        exit_code, output, log = caloforge("data", "plot", *arguments)
        assert (exit_code, output, log.count("\n")) == (code, "", 1)
        assert words in log
    assert [entry.name for entry in tmp_path.iterdir()] == ["points.h5"]
