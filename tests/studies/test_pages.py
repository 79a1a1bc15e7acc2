"""Pages of whole studies, from one real record of each: all sections, and none without runs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, read, write
from caloforge.report import pictures
from small_run import SETTINGS
from studies.records import everything, write_all
from validation import calogan, proton, training_runs, zn
from validation.runner import Study, read_records
from validation.training_runs import TrainingRun

STUDIES = {"zn": zn, "proton": proton, "calogan": calogan}
DETECTORS = {"zn": "alice_zn", "proton": "alice_zp", "calogan": "atlas_em"}
ROWS = {"zn": 640, "proton": 320, "calogan": 400}


def real_record(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The record of a run of a few steps on few showers."""
    detector, package = DETECTORS[name], STUDIES[name]
    data = folder / "few.h5"
    with ShowerFile(sample_path(detector)) as file:
        write(data, file.rows(0, ROWS[name]))
    monkeypatch.setattr(training_runs, "sample_path", lambda asked: data)
    if name != "calogan":
        monkeypatch.setattr(package.measures, "sample_path", lambda asked: data)
    plan = package.plan.PLAN
    small = () if name == "calogan" else SETTINGS
    test = () if name == "zn" else ("data.test=0.2",)
    settings = (*test, *small, "training.steps=6")
    method = plan.methods[-1] if name == "calogan" else plan.baseline
    run = dataclasses.replace(plan.run("final", method, 0), settings=settings, keep=False)
    return TrainingRun.execute(run, folder)


@pytest.fixture(
    scope="module",
    params=["proton", *(pytest.param(n, marks=pytest.mark.slow) for n in ("zn", "calogan"))],
)
def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Study, Path]:
    """A study of which every run is there."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        like = real_record(name, folder, patch)
        references = STUDIES[name].STUDY.references()
    records = everything(STUDIES[name].plan.plan, like)
    out = write_all(folder / "out", records, references)
    return STUDIES[name].STUDY, out


def test_a_whole_page_has_every_section_and_every_table_its_cells(
    whole: tuple[Study, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, folder = whole
    # Each figure is drawn once, not twice, and small.
    monkeypatch.setattr(Figure, "get_layout_engine", lambda figure: None)
    monkeypatch.setattr(pictures, "DOTS_PER_INCH", 60)
    study.page(folder)
    page = (folder / "README.md").read_text()
    runs = len(read_records(folder))
    assert f"All {runs} runs are there." in page
    assert "\n## Provenance\n" in page
    assert "undefined" not in page.lower().replace("undefined |", "")
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        lines = table.splitlines()
        assert len({line.count("|") for line in lines}) == 1, lines[0]
        assert re.fullmatch(r"\| (--- \| )*--- \|", lines[1])
    output = re.findall(r"\]\(([\w-]+\.png)\)", page)
    assert all((folder / name).stat().st_size > 2000 for name in output)
    assert "learning.png" in output
    assert "\n\n\n" not in page
    assert all(part in page for part in study.summary(folder).split("\n\n"))


def test_a_page_without_runs_says_so(whole: tuple[Study, Path], tmp_path: Path) -> None:
    study, folder = whole
    references = {"references.json": (folder / "references.json").read_text()}
    empty = tmp_path / "empty"
    (empty / "runs").mkdir(parents=True)
    for name, text in references.items():
        (empty / name).write_text(text)
    study.page(empty)
    page = (empty / "README.md").read_text()
    assert "**The study is not finished**: 0 of" in page
    assert ".png" not in page
    assert "\n\n\n" not in page


def test_captions_say_which_attributes_a_network_does_not_receive() -> None:
    captions = calogan.pictures.PICTURES
    for name in calogan.pictures.MOVED:
        for end in ("", "-difference"):
            without = "do not receive" in captions[f"calogan-{name}{end}.png"]
            assert without == (name != "E")
            assert "do not receive" not in captions[f"conditional-calogan-{name}{end}.png"]


def test_joined_showers_are_those_of_the_nearest_particle() -> None:
    from validation import metrics

    with_second, alone = (
        metrics.test_part(sample_path("alice_zp"), proton.measures.SETTINGS.model_copy(update=more))
        for more in ({}, {"training_files": ()})
    )
    np.testing.assert_array_equal(with_second[0].cells, alone[0].cells)
    second = read(sample_path("alice_zp/part-2"))
    assert len(with_second[1]) == len(alone[1]) + len(second)
