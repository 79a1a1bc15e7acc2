"""A folder of shards holds the showers of the single file, whoever makes it and in what pieces."""

import json
import shutil

import h5py
import numpy as np
import pytest

from caloforge.detectors import ALICE_ZN, FACTS, DetectorFacts
from caloforge.errors import DataError, UsageError
from caloforge.generate import Particles, Spectrum
from caloforge.generate.plan import read_manifest, shard_showers
from caloforge.generate.shard import draw_showers
from caloforge.io.files import write_aside
from caloforge.simulator import Simulator
from caloforge.simulator.sampling import BLOCK
from extras import needs
from handmade import DETECTOR, K, Z, some_conditions
from production_runs import SHARDS, SHOWERS, arrays, assert_same, digests, finish, order, shards


@pytest.fixture(scope="module")
def folder(shop, tmp_path_factory, one_file):
    """A finished production of this process."""
    from caloforge.cli import main

    out = tmp_path_factory.mktemp("made") / "folder"
    assert main([*order(shop, out), "-q"]) == 0
    return out


def test_shards_hold_the_showers_of_the_single_file(folder, one_file):
    assert [path.name for path in shards(folder)] == [
        f"showers-{number:05d}-of-{SHARDS:05d}.h5" for number in range(SHARDS)
    ]
    assert_same(shards(folder), one_file)
    assert sorted(path.name for path in folder.iterdir())[0] == "manifest.json"


def test_the_manifest_tells_everything(folder):
    record = json.loads((folder / "manifest.json").read_text())
    assert (record["format"], record["version"]) == ("caloforge-production", 1)
    assert (record["complete"], record["count"]) == (True, SHOWERS)
    plan = record["plan"]
    assert (plan["seed"], plan["shard_showers"], plan["showers"]) == (3, 2048, SHOWERS)
    assert plan["settings"]["threads"] == 1
    assert plan["settings"]["batch"] == 64
    assert plan["engine_version"].startswith(plan["settings"]["engine"])
    assert plan["cpu_flags"]
    assert {shard["file"]: shard["sha256"] for shard in record["shards"]} == digests(folder)
    assert sum(shard["showers"] for shard in record["shards"]) == SHOWERS
    assert read_manifest(folder).plan.shards == SHARDS


@pytest.mark.parametrize("size", [1, 5000, 10**6])
def test_the_size_of_shards_changes_no_shower(caloforge, shop, tmp_path, one_file, size):
    out = tmp_path / "folder"
    options = ("--shard-size", size, "--batch", 1000, "-q")
    showers = 3000
    assert caloforge(*order(shop, out, *options, sharded=False, showers=showers))[0] == 0
    expected = arrays([one_file])
    for name, values in arrays(shards(out)).items():
        np.testing.assert_array_equal(values, expected[name][:showers])


def test_processes_make_the_same_bytes(shop, tmp_path, folder):
    code, output, log = finish(
        [*order(shop, tmp_path / "p"), "--executor", "futures", "--workers", "2", "--json", "-q"]
    )
    assert (code, log) == (0, "")
    assert json.loads(output)["made"] == SHOWERS
    assert digests(tmp_path / "p") == digests(folder)


def test_dask_makes_the_same_bytes(shop, tmp_path, folder):
    needs("distributed")
    code, output, log = finish(
        [*order(shop, tmp_path / "p"), "--executor", "dask", "--workers", "2", "-q"]
    )
    assert code == 0, log
    assert f"{SHOWERS} showers in {SHARDS} shards" in output
    assert digests(tmp_path / "p") == digests(folder)


def test_a_finished_production_is_left_alone(caloforge, shop, tmp_path, folder):
    out = shutil.copytree(folder, tmp_path / "folder")
    before = {path: path.stat().st_mtime_ns for path in shards(out)}
    code, output, log = caloforge(*order(shop, out), "-q")
    assert (code, log) == (0, "")
    assert "complete already" in output
    assert {path: path.stat().st_mtime_ns for path in shards(out)} == before


def test_missing_and_changed_shards_are_made_again(caloforge, shop, tmp_path, folder):
    out = shutil.copytree(folder, tmp_path / "folder")
    first, second, *_ = shards(out)
    first.unlink()
    with second.open("r+b") as file:
        file.seek(3000)
        file.write(b"????")
    code, output, log = caloforge(*order(shop, out), "-q", "--json")
    assert code == 0
    assert log.count("is missing or changed; it is made again") == 2
    assert json.loads(output)["made"] == 2 * 2048
    assert digests(out) == digests(folder)


def test_what_was_begun_decides_how_it_goes_on(caloforge, shop, tmp_path, folder):
    out = shutil.copytree(folder, tmp_path / "folder")
    for options, says in (
        (("--seed", 4), "begun with seed 3, not 4"),
        (("--batch", 128), "begun with settings"),
        (("-n", 19_999), "begun with showers 20000, not 19999"),
        (("--shard-size", 1024), "begun with shard showers"),
        (("--no-images",), "begun with output"),
    ):
        code, _, log = caloforge(*order(shop, out), *options, "-q")
        assert code == 2
        assert says in log
        assert "--force starts anew" in log
    code, _, log = caloforge(*order(shop, out), "--seed", 4, "--force", "-q")
    assert (code, log) == (0, "")
    assert digests(out).keys() == digests(folder).keys()
    assert digests(out) != digests(folder)


def test_a_folder_with_other_files_is_refused(caloforge, shop, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    code, _, log = caloforge(*order(shop, tmp_path), "-q")
    assert code == 2
    assert "holds files but no manifest.json" in log
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_hidden_files_of_others_stay(caloforge, shop, tmp_path, options):
    mine = [tmp_path / ".thesis.parts" / "chapter1.tex", tmp_path / ".notes.partial.txt"]
    mine[0].parent.mkdir()
    for path in mine:
        path.write_text("years of work")
    code, _, log = caloforge(*order(shop, tmp_path), *options, "-q")
    assert code == (0 if options else 2), log
    assert all(path.exists() for path in mine)


def test_a_kill_during_the_first_manifest_is_no_obstacle(caloforge, shop, tmp_path):
    left = tmp_path / f".manifest.0a1b2c-7-{'0' * 16}.part.json"
    left.touch()
    code, _, log = caloforge(*order(shop, tmp_path), "-q")
    assert code == 0, log
    assert not left.exists()


def test_what_another_process_writes_aside_stays(caloforge, shop, tmp_path):
    with write_aside(tmp_path / "other.h5") as aside:
        aside.touch()
        code, _, log = caloforge(*order(shop, tmp_path), "-q")
        assert (code, aside.exists()) == (2, True), log


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "else"}, "no caloforge-production document"),
        ({"version": 2}, "version 2 is newer than 1: update"),
        ({"plan": {}}, "plan"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_foreign_manifest_is_refused(tmp_path, folder, change, says):
    record = json.loads((folder / "manifest.json").read_text()) | change
    (tmp_path / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=says):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["../showers-00000-of-00010.h5", "/etc/passwd", "a/b.h5", ""])
def test_paths_of_a_manifest_stay_in_its_folder(tmp_path, folder, name):
    record = json.loads((folder / "manifest.json").read_text())
    record["shards"][0]["file"] = name
    (tmp_path / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="no shard of this folder"):
        read_manifest(tmp_path)


def test_a_link_is_no_shard(tmp_path, folder):
    shutil.copy(folder / "manifest.json", tmp_path)
    (tmp_path / shards(folder)[0].name).symlink_to(shards(folder)[0])
    with pytest.raises(DataError, match="no shard of this folder"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"format": "caloforge-production"}'])
def test_a_damaged_manifest_costs_one_line(caloforge, shop, tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    code, _, log = caloforge(*order(shop, tmp_path), "-q")
    assert code == 3
    assert log.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--shards", 3), "not both"),
        (("--workers", 2), "executor"),
        (("--executor", "dask", "--cluster", "moon"), "no cluster moon"),
        (("--spectrum", "photons"), "not both"),
        (("--compression", "fast", "--no-images"), "HDF5 files with images"),
        (("--cluster-options", "none.json"), "none.json: no such file"),
        (("--engine", "abacus"), "no engine abacus"),
    ],
)
def test_impossible_options_cost_one_line(caloforge, shop, tmp_path, options, says):
    if "dask" in options:
        needs("distributed")
    code, output, log = caloforge(*order(shop, tmp_path / "out"), *options, "-q")
    assert (code, output) == (2, "")
    assert says in log
    assert log.count("\n") == 1


def test_workers_without_shards_are_refused(caloforge, shop, tmp_path):
    command = order(shop, tmp_path / "out", "--executor", "futures", sharded=False)
    code, _, log = caloforge(*command)
    assert code == 2
    assert "add --shard-size or --shards" in log


def test_shards_are_whole_blocks():
    assert shard_showers(10_000, 3, None) == 4 * BLOCK
    assert shard_showers(10_000, None, 1) == BLOCK
    assert shard_showers(10, 7, None) == BLOCK
    with pytest.raises(UsageError, match="not both"):
        shard_showers(10, 1, 1)


class Recorded:
    """An engine that remembers how many rows it was asked for."""

    name, threads = "recorded", 1

    def __init__(self):
        self.rows = []

    def run(self, latents, conditions):
        assert latents.shape == (len(conditions), Z)
        self.rows.append(len(latents))
        return np.ones((len(latents), K), np.float32)


def test_the_last_batch_is_padded(shop):
    from dataclasses import replace

    engine = Recorded()
    simulator = replace(Simulator.load(shop / "simulator"), engine=engine)
    particles = Particles(some_conditions(7), np.arange(7))
    batches = list(draw_showers(simulator, particles, range(1024, 1400), seed=0, batch=256))
    assert engine.rows == [256, 256]
    assert [len(batch.cells) for batch in batches] == [256, 120]
    numbers = np.concatenate([batch.columns["particle"] for batch in batches])
    np.testing.assert_array_equal(numbers, np.arange(1024, 1400))


def test_conditions_outside_the_training_range_are_counted_once(caloforge, shop, tmp_path):
    conditions = some_conditions(4)
    conditions[0, 0] = 99
    with h5py.File(shop / "like.h5") as like, h5py.File(tmp_path / "far.h5", "w") as far:
        for name, value in like.attrs.items():
            far.attrs[name] = value
        for layer in DETECTOR.layers:
            far[f"showers/{layer.name}"] = like[f"showers/{layer.name}"][:4]
        far["conditions"], far["particle"] = conditions, np.arange(4)
    command = order(shop, tmp_path / "p", "--like", tmp_path / "far.h5", "-q", showers=4000)
    code, _, log = caloforge(*command, "--strict")
    assert code == 3
    assert "Energy in 1 (0 to 10" in log
    assert not (tmp_path / "p" / "manifest.json").exists()
    code, output, log = caloforge(*command, "--json")
    assert code == 0
    assert log == ("warning: conditions outside the domain, of 4000 rows: Energy in 1000\n")
    assert json.loads(output)["outside"] == {"Energy": 1000}


# ---- spectra ---------------------------------------------------------------------------------


def test_a_spectrum_is_the_same_in_all_pieces():
    spectrum = Spectrum("spectator-neutrons", ALICE_ZN, 5)
    whole = spectrum.of(range(3000))
    for rows in (range(1), range(1000, 1100), range(1024, 2048), range(2500, 3000)):
        for name, column in spectrum.of(rows).items():
            np.testing.assert_array_equal(column, whole[name][rows.start : rows.stop])
    assert set(whole["pdg"]) == {2112}
    assert len(np.unique(whole["conditions"], axis=0)) == 3000
    energy = whole["conditions"][:, ALICE_ZN.column("Energy")]
    assert 1300 < energy.mean() < 1460
    other = Spectrum("spectator-neutrons", ALICE_ZN, 6)
    assert (other.of(range(9))["conditions"] != whole["conditions"][:9]).any()
    assert other.fingerprint != spectrum.fingerprint


def test_a_spectrum_of_another_detector_is_refused(caloforge, shop, tmp_path):
    command = ["generate", shop / "simulator", "--out", tmp_path / "out.h5", "--spectrum"]
    code, _, log = caloforge(*command, "photons", "-n", 5)
    assert code == 2
    assert "toy has no spectrum photons; it has none" in log
    with pytest.raises(UsageError, match="it has hadron-mix, photons, spectator-neutrons"):
        Spectrum("spectator-protons", ALICE_ZN, 0)


def test_a_spectrum_needs_a_number(caloforge, shop, tmp_path, monkeypatch):
    detector = Simulator.load(shop / "simulator").detector
    monkeypatch.setitem(FACTS, "toy", DetectorFacts(detector, spectra={"beam": _toy_beam}))
    command = ["generate", shop / "simulator", "--spectrum", "beam", "-q"]
    code, _, log = caloforge(*command, "--out", tmp_path / "out.h5")
    assert code == 2
    assert "say how many showers with -n" in log
    for out, options in (("out.h5", ()), ("folder", ("--shards", 2))):
        code, _, log = caloforge(*command, "--out", tmp_path / out, "-n", 3000, *options)
        assert (code, log) == (0, "")
    generated = arrays(shards(tmp_path / "folder"))
    for name, values in arrays([tmp_path / "out.h5"]).items():
        np.testing.assert_array_equal(generated[name], values)
    assert len(np.unique(generated["conditions"], axis=0)) == 3000


def _toy_beam(rng, detector, count):
    return np.full(count, 22, np.int32), rng.uniform(0, 10, (count, 2))
