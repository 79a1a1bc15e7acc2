"""docs/layered.md: its commands run and its detector is one."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from caloforge.data.energy import energies
from caloforge.data.samples import sample_path
from caloforge.data.showers import read
from caloforge.detectors.files import detector_of_record
from tests.formats.layered_raw import calogan, write

PAGE = (Path(__file__).parents[2] / "docs" / "layered.md").read_text(encoding="utf-8")
BINS = '<Bins><Bin pid="11" name="electron">{}</Bin></Bins>'
LAYER = '<Layer id="{}" r_edges="0,4.65,9.3" n_bin_alpha="2"/>'


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Small files of the names on the page."""
    monkeypatch.chdir(tmp_path)
    calogan(tmp_path / "gamma.hdf5", centred=True)
    calogan(tmp_path / "eplus_angle_position_1.h5")
    Path("binning_dataset_2.xml").write_text(BINS.format(LAYER.format(0) + LAYER.format(1)))
    arrays = {"incident_energies": np.full((6, 1), 1e4), "showers": np.full((6, 8), 1e3)}
    write(Path("dataset_2_1.hdf5"), arrays)
    return tmp_path


def test_commands_run_as_they_stand(files, caloforge):
    blocks = re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
    lines = [shlex.split(line[2:])[1:] for block in blocks for line in block.splitlines()]
    assert {words[0] for words in lines} == {"data", "train"}
    for words in lines:
        more = ["--dry-run"] if words[0] == "train" else []
        code, _, err = caloforge(*words, *more)
        assert code == 0, f"{words}: {err}"
    assert len(lines) == 8
    assert read(files / "eplus.h5").overflow is not None


def test_its_detector_is_one():
    record = json.loads(re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)[0])
    assert detector_of_record(record).cells == 4 * 48 + 20 * 20


def test_its_books_are_those_of_the_sample():
    actual = energies(read(sample_path("atlas_em")))
    for layer, (cells, beside) in enumerate(
        zip(actual.layers.mean(axis=0), actual.overflow.mean(axis=0), strict=True)
    ):
        assert re.search(rf"layer_{layer} +{cells:.4g} +{beside:.4g}\n", PAGE)
    assert f"{actual.total.mean():.4g} of {actual.incident.mean():.4g} GeV" in PAGE
