"""A detector that only this test knows goes through every verb, from training to pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from raw_showers import write_showers

pytest.importorskip("torch")

RECORD: dict[str, Any] = {
    "format": "caloforge-detector",
    "version": 1,
    "name": "garden_shed",
    "layers": [
        {"name": "preshower", "shape": [3, 7], "cell_mm": [30.0, 5.0]},
        {"name": "block", "shape": [5, 2], "cell_mm": [20.0, 25.0]},
    ],
    "conditions": [
        {"name": "energy", "unit": "GeV"},
        {"name": "x", "unit": "mm", "axis": "x"},
        {"name": "age", "unit": "year"},
    ],
    "energy": "energy",
}
SHOWERS = 160
Command = Callable[..., tuple[int, str, str]]


def images_of(conditions: NDArray[np.float64], rng: np.random.Generator) -> list[NDArray[Any]]:
    """Energy by layer about the impact point; old particles leave more in the first layer."""
    actual = []
    for layer, share in zip(RECORD["layers"], (0.2, 0.75), strict=True):
        nx, ny = layer["shape"]
        at = (np.arange(nx) - (nx - 1) / 2) * layer["cell_mm"][0]
        along = np.exp(-(((at - conditions[:, 1:2]) / 40) ** 2) / 2)
        image = along[:, :, None] * rng.gamma(5, 0.2, (len(conditions), nx, ny))
        energy = conditions[:, 0] * (share + 0.001 * conditions[:, 2])
        actual.append(image * (energy / image.sum(axis=(1, 2)))[:, None, None])
    return actual


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The detector as JSON and its showers by raw h5py."""
    from caloforge.detectors.files import find_detector

    folder = tmp_path_factory.mktemp("shed")
    (folder / "shed.json").write_text(json.dumps(RECORD))
    detector = find_detector(str(folder / "shed.json"))
    rng = np.random.default_rng(0)
    conditions = rng.uniform([5, -20, 0], [50, 20, 10], (SHOWERS, 3))
    cells = np.concatenate([x.reshape(SHOWERS, -1) for x in images_of(conditions, rng)], axis=1)
    columns = (cells.astype(np.float32), conditions, np.arange(SHOWERS))
    write_showers(folder / "showers.h5", detector, *columns)
    return folder


SETTINGS = (
    "training.steps=6",
    "training.validation_interval=3",
    "training.checkpoint_interval=6",
    "training.precision=float32",
    "data.particles=16",
    "data.test=0.3",
)


def test_it_trains_as_the_paper_does(caloforge: Command, files: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    code, _, log = train(caloforge, files, "conditional-calogan", out)
    assert code == 0, log
    card = json.loads((out / "simulator" / "simulator.json").read_text())
    assert card["detector"]["name"] == "garden_shed"
    assert sorted(card["training_ranges"]) == ["age", "energy", "x"]


def train(caloforge: Command, files: Path, recipe: str, out: Path) -> tuple[int, str, str]:
    """One short run."""
    options = [part for one in SETTINGS for part in ("--set", one)]
    conditions = ["--detector", files / "shed.json", "--data", files / "showers.h5"]
    return caloforge("train", recipe, *conditions, "--out", out, *options, "-q")


def test_its_run_is_judged_exported_and_asked_for_showers(
    caloforge: Command, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from caloforge.evaluate.metrics.classifier import BOOSTING
    from caloforge.evaluate.metrics.networks import CLASSIFIER_CONFIGS, ClassifierConfig
    from caloforge.report import pictures

    short = ClassifierConfig("default", (32,), 1e-2, 64, epochs=3, patience=2)
    monkeypatch.setitem(CLASSIFIER_CONFIGS, "default", short)
    monkeypatch.setitem(BOOSTING, "max_iter", 10)
    figure: list[Any] = []
    monkeypatch.setattr(
        pictures, "data_uri", lambda f: figure.append(f) or "data:image/png;base64,"
    )
    run, showers = tmp_path / "run", files / "showers.h5"
    assert train(caloforge, files, "calibrated", run)[0] == 0
    page = tmp_path / "report.html"
    code, _, log = caloforge("evaluate", run, "--against", showers, "--out", page, "-q")
    assert code == 0, log
    rows = {
        row["name"]: row for row in json.loads(page.with_suffix(".json").read_text())["two_sample"]
    }
    assert {"slope_energy", "slope_x", "share_block", "r2_age", "auc_both"} <= rows.keys()
    assert rows["slope_energy"]["floor"]["value"] == pytest.approx(0.96, abs=0.02)
    text = page.read_text()
    for title in ("Attributes", "Nearest neighbours", "Traversals", "Mean images"):
        assert f"{title}</h2>" in text
    assert len(figure) == text.count("<img") > 20
    bundle = ("export", run, "--target", "triton", "--out", tmp_path / "bundle", "-q")
    code, _, log = caloforge(*bundle)
    assert code == 0, log
    generated = tmp_path / "made.h5"
    code, _, log = caloforge("generate", run, "--like", showers, "--out", generated, "-q")
    assert code == 0, log
    with h5py.File(generated) as file:
        assert file["showers/preshower"].shape == (SHOWERS, 3, 7)
        assert file["showers/block"].shape == (SHOWERS, 5, 2)
        assert file["showers/block"][:].min() >= 0
    code, _, log = caloforge(
        "evaluate", generated, "--against", showers, "--classifier", "none", "-q"
    )
    assert code == 0, log
