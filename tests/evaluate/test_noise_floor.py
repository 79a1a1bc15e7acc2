"""Floors are computed once, are the same from the folder, and never from a wrong one."""

import dataclasses

import numpy as np
import pytest

from caloforge.errors import CaloforgeError
from caloforge.evaluate import evaluate, two_sample_metrics
from caloforge.evaluate.metrics.networks import ClassifierConfig
from caloforge.evaluate.noise_floor import FloorCache, default_cache_folder
from caloforge.evaluate.paired import PairedBootstrap
from caloforge.report.pages import _write
from evaluate.stand_in import SMALL, energies, showers
from full_disk import largest_file
from processes import SERVER

ENERGY = energies(24, 0)
REAL, MADE, OTHER = (showers(ENERGY, 4, n) for n in (1, 2, 3))


def test_a_floor_from_the_folder_is_the_floor(tmp_path, monkeypatch):
    floors = FloorCache(tmp_path / "deep" / "floors")
    plain = evaluate(REAL, MADE, resamples=20)
    assert evaluate(REAL, MADE, resamples=20, cache=floors).to_json() == plain.to_json()
    metrics = two_sample_metrics(REAL, OTHER, cache=floors)
    assert len(list(floors.folder.iterdir())) == 2

    def never(bootstrap):
        raise AssertionError

    monkeypatch.setattr(PairedBootstrap, "evaluate_real", never)
    again = evaluate(REAL, OTHER, resamples=20, cache=floors)
    assert again.candidate("real") == plain.candidate("real")
    assert again.candidate("model") != plain.candidate("model")
    assert two_sample_metrics(REAL, OTHER, cache=floors) == metrics


@pytest.mark.parametrize("what", ["cells", "seed", "numbers", "scheme", "resamples"])
def test_another_question_has_another_floor(tmp_path, what):
    floors = FloorCache(tmp_path)
    evaluate(REAL, MADE, resamples=20, cache=floors)
    real, generated, how = REAL, MADE, {"seed": 0, "scheme": None, "resamples": 20}
    if what == "cells":
        real = dataclasses.replace(REAL, cells=REAL.cells + np.uint16(1))
    elif what == "numbers":
        generated = MADE.rows(np.flatnonzero(np.arange(len(MADE)) % 4 == 0))
    else:
        how |= {what: {"seed": 1, "scheme": "second", "resamples": 21}[what]}
    evaluate(real, generated, cache=floors, **how)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("changed", ["first", "second"])
def test_a_scheme_of_the_same_name_with_other_cells_has_another_floor(tmp_path, changed):
    """The fingerprint of a detector leaves schemes out; the first one decides towers, too."""
    channels = tuple(
        one.model_copy(update={"of_cell": one.of_cell[::-1]}) if one.scheme == changed else one
        for one in SMALL.channels
    )
    detector = SMALL.model_copy(update={"channels": channels})
    assert detector.fingerprint == SMALL.fingerprint
    real, generated = (dataclasses.replace(one, detector=detector) for one in (REAL, MADE))
    how = {"scheme": "second", "resamples": 20}
    config = ClassifierConfig("short", (8,), 5e-3, 256, 2, 2)
    floors = FloorCache(tmp_path)
    evaluate(REAL, MADE, cache=floors, **how)
    two_sample_metrics(REAL, MADE, scheme="second", config=config, cache=floors)
    assert len(list(tmp_path.iterdir())) == 3
    actual = evaluate(real, generated, cache=floors, **how)
    assert actual.to_json() == evaluate(real, generated, **how).to_json()
    two_sample_metrics(real, generated, scheme="second", config=config, cache=floors)
    assert len(list(tmp_path.iterdir())) == 6


def test_damaged_and_unwritable_folders_are_no_reason_to_fail(tmp_path):
    floors = FloorCache(tmp_path)
    plain = evaluate(REAL, MADE, resamples=20, cache=floors)
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    for damaged in ("{", '{"w1": [1.0]}', "[" * 100_000, whole.replace("0.", "1.", 1)):
        file.write_text(damaged)
        assert evaluate(REAL, MADE, resamples=20, cache=floors) == plain
        assert file.read_text() == whole
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert evaluate(REAL, MADE, resamples=20, cache=FloorCache(blocked / "floors")) == plain
    assert default_cache_folder().parts[-2:] == ("caloforge", "floors")


def cached_in(folder):
    """What one of several evaluations does at once."""
    document = {"w1": [float(number) for number in range(10_000)]}
    for _ in range(20):
        cache = FloorCache(folder)
        assert cache.cached((np.ones(3),), ("about",), lambda: document) == document
        for path in folder.glob("*.json"):
            path.unlink(missing_ok=True)


def test_evaluations_at_once_share_a_folder(tmp_path):
    processes = [SERVER.Process(target=cached_in, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert not any(tmp_path.iterdir())


def test_a_full_disk_of_the_cache_costs_the_cache_alone(tmp_path):
    cache = FloorCache(tmp_path / "floors")
    document = {"name": [1.0] * 100}
    with largest_file(64):
        assert cache.cached((np.ones(3),), ("about",), lambda: document) == document
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_full_disk_leaves_no_half_report(tmp_path):
    result = evaluate(REAL, OTHER, resamples=5)
    for texts in ((result.to_json(), "<p>"), ("{}", "<p>" * 100)):
        files = dict(zip((tmp_path / "a.json", tmp_path / "a.html"), texts, strict=True))
        with largest_file(64), pytest.raises(CaloforgeError, match="no space left"):
            _write(files, False)
    assert not list(tmp_path.iterdir())
