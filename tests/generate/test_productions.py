"""A production is data, and an array of jobs makes one without a scheduler."""

import json
import shutil

import numpy as np
import pytest

from caloforge import read
from caloforge.errors import DataError, UsageError
from caloforge.generate.plan import Share, read_manifest
from caloforge.io.productions import open_showers
from production_runs import (
    SHOWERS,
    arrays,
    digests,
    finish,
    order,
    shards,
    start,
    until,
)


@pytest.fixture(scope="module")
def folder(shop, tmp_path_factory):
    """A finished production of this process; nobody writes to it."""
    from caloforge.cli import main

    out = tmp_path_factory.mktemp("made") / "folder"
    assert main([*order(shop, out), "-q"]) == 0
    return out


def test_a_production_reads_as_its_single_file(folder, one_file):
    whole, single = read(folder), read(one_file)
    assert len(whole) == SHOWERS
    for name in ("cells", "conditions", "particle", "pdg"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(single, name))
    with open_showers(folder) as file:
        rows = slice(2000, 6200)
        np.testing.assert_array_equal(file.cells(2000, 6200), single.cells[rows])
        np.testing.assert_array_equal(file.channels, arrays([one_file])["channels"])
        assert [len(part) for part in file.files()] == [2048] * 9 + [SHOWERS - 9 * 2048]
        assert sum(len(part) for part in file.chunks(5000)) == SHOWERS


def test_verbs_take_a_production(caloforge, folder, one_file):
    code, output, log = caloforge("data", "info", folder, "--json", "-q")
    single = json.loads(caloforge("data", "info", one_file, "--json", "-q")[1])
    assert code == 0, log
    assert {**json.loads(output), "file": "", "provenance": ""} == {
        **single, "file": "", "provenance": "",
    }  # fmt: skip
    code, output, log = caloforge("check", folder, "--json")
    assert (code, json.loads(output)["showers"]) == (0, SHOWERS), log


@pytest.mark.slow
def test_a_production_is_evaluated(caloforge, folder, one_file):
    options = ["--against", one_file, "--classifier", "none", "--json", "-q"]
    code, _, log = caloforge("evaluate", folder, *options)
    assert code == 0, log


@pytest.mark.parametrize("damage", ["missing", "changed", "unfinished"])
def test_what_is_not_whole_is_said(caloforge, folder, tmp_path, damage):
    out = shutil.copytree(folder, tmp_path / "folder")
    third = shards(out)[2]
    if damage == "missing":
        third.unlink()
    elif damage == "changed":
        third.write_bytes(third.read_bytes()[:-1] + b"?")
    else:
        record = json.loads((out / "manifest.json").read_text())
        record["shards"], record["complete"] = record["shards"][:2], False
        (out / "manifest.json").write_text(json.dumps(record))
    code, _, log = caloforge("check", out)
    assert code == 4
    assert "the same generate command mends it" in log
    assert (third.name in log) == (damage != "unfinished")
    if damage != "changed":
        code, output, log = caloforge("data", "info", out)
        assert (code, output, log.count("\n")) == (3, "", 1)
        assert "the same generate command" in log


def test_channels_alone_are_not_read_back(caloforge, shop, tmp_path):
    out = tmp_path / "folder"
    assert caloforge(*order(shop, out, "--no-images", "-q", showers=3000))[0] == 0
    with pytest.raises(DataError, match="only HDF5 with images is read back"):
        read(out)
    assert caloforge("check", out)[0] == 0


# ---- arrays of jobs --------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", ""])
def test_shares_that_are_none_are_refused(text):
    with pytest.raises(UsageError, match="--shard"):
        Share.parse(text)


def test_an_array_of_jobs_makes_the_same_bytes(caloforge, shop, folder, tmp_path):
    """Three jobs at once, one of them killed and started again; then the join."""
    out = tmp_path / "folder"
    jobs = [start([*order(shop, out), "--shard", f"{job}/3", "-q"]) for job in (1, 2, 3)]
    until(lambda: len(shards(out)) >= 1, jobs[1])
    jobs[1].kill()
    for job in jobs:
        job.communicate(timeout=120)
    assert [job.returncode for job in (jobs[0], jobs[2])] == [0, 0]
    code, output, log = caloforge("data", "info", out)
    assert code == 3
    assert "without --shard joins them" in log
    assert finish([*order(shop, out), "--shard", "2/3", "-q"])[0] == 0
    parts = sorted(path.name for path in out.glob("manifest*"))
    assert parts == [f"manifest-{job:05d}-of-00003.json" for job in (1, 2, 3)]
    assert [len(read_manifest(out, name).shards) for name in parts] == [4, 3, 3]
    code, output, log = caloforge(*order(shop, out), "-q", "--json")
    assert (code, log) == (0, "")
    assert json.loads(output)["made"] == 0
    assert digests(out) == digests(folder)
    assert [path.name for path in out.glob("manifest*")] == ["manifest.json"]
    mine, theirs = read_manifest(out), read_manifest(folder)
    assert mine.complete
    assert [one.sha256 for one in mine.shards] == [one.sha256 for one in theirs.shards]
    assert sorted(path.name for path in out.iterdir() if path.name[0] == ".") == []


def test_the_join_makes_what_is_missing(caloforge, shop, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("caloforge.reporter.FIRST_LINE_SECONDS", 0)
    out = tmp_path / "folder"
    code, _, log = caloforge(*order(shop, out), "--shard", "1/3")
    in_share = SHOWERS - 6 * 2048
    assert (code, f"generate: {in_share}/{in_share} showers" in log) == (0, True)
    code, _, log = caloforge("check", out)
    assert (code, "without --shard joins them" in log) == (4, True)
    assert len(shards(out)) == 4
    code, output, _ = caloforge(*order(shop, out), "-q", "--json")
    assert (code, json.loads(output)["made"]) == (0, SHOWERS - 3 * 2048 - (SHOWERS - 9 * 2048))
    assert digests(out) == digests(folder)


def test_a_join_beside_a_running_job_is_refused(shop, tmp_path, caloforge):
    out = tmp_path / "folder"
    process = start([*order(shop, out, showers=10**7), "--shard", "1/3", "-q"])
    try:
        assert until(lambda: len(shards(out)) >= 1, process)
        code, _, log = caloforge(*order(shop, out, showers=10**7), "-q")
        assert code == 2
        assert "writes here" in log
    finally:
        process.kill()
        process.communicate()


def test_impossible_shares_cost_one_line(caloforge, shop, tmp_path):
    command = order(shop, tmp_path / "p")
    automatic = [part for part in command if part not in ("--engine", "onnxruntime")]
    for options, says in (
        ([*command, "--shard", "4/3"], "write k/N"),
        ([*automatic, "--shard", "1/3"], "--shard needs --engine"),
        ([*command, "--shard", "1/3", "--force"], "--force would remove the shards of other jobs"),
        ([*order(shop, tmp_path / "p.h5", sharded=False), "--shard", "1/3"], "--shards"),
    ):
        code, output, log = caloforge(*options, "-q")
        assert (code, output, log.count("\n")) == (2, "", 1)
        assert says in log
    assert not (tmp_path / "p").exists()
