"""Killed anywhere, full disks, two runs at once: the next run gives the same arrays."""

import json
import os
import resource
import signal
from pathlib import Path

import pytest

from production_runs import SHARDS, assert_same, finish, order, shards, start, until

LONG = 120_000
"""Showers of a production that lasts long enough to be disturbed."""
LONG_SHARDS = 59
PROCESSES = ("--executor", "futures", "--workers", "2", "-q")


def parts(folder):
    return list(folder.glob(".showers*.part*"))


def children(process):
    """Processes that a run has started, and that work."""
    children_file = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    tasks = children_file.parent.parent.glob("*/children")
    return sorted(int(pid) for task in tasks for pid in task.read_text().split())


@pytest.fixture(scope="module")
def whole(shop, tmp_path_factory):
    from caloforge.cli import main

    out = tmp_path_factory.mktemp("whole") / "all.h5"
    assert main([*order(shop, out, sharded=False, showers=LONG), "-q"]) == 0
    return out


@pytest.mark.slow
@pytest.mark.parametrize("options", [("-q",), PROCESSES], ids=["iterative", "futures"])
def test_a_run_killed_at_five_points_ends_with_the_same_arrays(shop, tmp_path, whole, options):
    folder = tmp_path / "folder"
    points = [
        lambda: (folder / ".lock").exists(),
        lambda: bool(parts(folder)),
        lambda: len(shards(folder)) >= 3,
        lambda: len(shards(folder)) >= 12 and bool(parts(folder)),
        lambda: len(shards(folder)) >= 25,
    ]
    n_killed = 0
    for point in points:
        process = start([*order(shop, folder, showers=LONG), *options])
        n_killed += until(point, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert n_killed == len(points)
    assert len(shards(folder)) < LONG_SHARDS
    code, output, log = finish([*order(shop, folder, showers=LONG), *options, "--json"])
    assert (code, log) == (0, "")
    assert json.loads(output)["made"] < LONG
    assert_same(shards(folder), whole)
    assert sorted(path.name for path in folder.iterdir() if path.name[0] == ".") == []


def test_killed_workers_are_replaced(shop, tmp_path, whole):
    folder = tmp_path / "folder"
    process = start([*order(shop, folder, showers=LONG), *PROCESSES])
    n_killed = 0
    for finished in (0, 8, 24):
        if until(lambda n=finished: len(shards(folder)) >= n and children(process), process):
            os.kill(children(process)[0], signal.SIGKILL)
            n_killed += 1
    _, log = process.communicate(timeout=120)
    assert (process.returncode, log) == (0, "")
    assert n_killed >= 2
    assert_same(shards(folder), whole)


def test_a_shard_that_kills_its_workers_ends_the_run(shop, tmp_path, monkeypatch):
    from caloforge.errors import CaloforgeError
    from caloforge.generate.output import Output
    from caloforge.generate.plan import Settings, SourcePlan
    from caloforge.generate.production import prepare, produce
    from caloforge.jobs import Executor, pool

    plan = prepare(
        shop / "simulator",
        SourcePlan(kind="file", name=str(shop / "like.h5")),
        showers=3000,
        seed=0,
        shards=2,
        shard_size=None,
        output=Output(scheme="halves"),
        settings=Settings(),
    )
    monkeypatch.setattr(pool, "COMMAND", ("/bin/false",))
    with pytest.raises(CaloforgeError, match="3 workers died while making shard"):
        produce(plan, tmp_path / "folder", executor=Executor("futures", 1))
    assert json.loads((tmp_path / "folder" / "manifest.json").read_text())["count"] == 0
    monkeypatch.undo()
    assert produce(plan, tmp_path / "folder").made == 3000


def test_two_runs_into_one_folder_are_refused(shop, tmp_path):
    folder = tmp_path / "folder"
    process = start([*order(shop, folder, showers=100 * LONG), *PROCESSES])
    try:
        assert until(lambda: len(shards(folder)) >= 1, process)
        code, output, log = finish([*order(shop, folder, showers=100 * LONG), "-q", "--force"])
        assert (code, output) == (2, "")
        assert f"process {process.pid} on {os.uname().nodename} writes here" in log
        assert log.count("\n") == 1
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143
    assert "shards are finished" in log
    assert "the same command goes on" in log
    assert log.count("\n") == 1
    assert parts(folder) == []
    assert not (folder / ".lock").exists()


def test_a_run_on_another_machine_is_believed(caloforge, shop, tmp_path):
    (tmp_path / ".lock").write_text(json.dumps({"pid": 17, "host": "worker-12.example"}))
    code, _, log = caloforge(*order(shop, tmp_path), "-q")
    assert code == 2
    assert "process 17 on worker-12.example writes here; if it is long dead, remove" in log
    assert (tmp_path / ".lock").exists()


def test_the_lock_of_a_dead_run_is_taken_over(caloforge, shop, tmp_path):
    note = {"pid": 2**22 + 1, "host": os.uname().nodename}
    (tmp_path / ".lock").write_text(json.dumps(note))
    assert caloforge(*order(shop, tmp_path), "-q")[0] == 0
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".lock").write_text("no json")
    assert caloforge(*order(shop, tmp_path / "empty", showers=10), "-q")[0] == 0


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("-q",), id="iterative"),
        pytest.param(PROCESSES, marks=pytest.mark.slow, id="futures"),
    ],
)
def test_a_full_disk_in_a_shard_costs_one_line(shop, tmp_path, one_file, options):
    """A limit on the size of files stands in for the disk."""
    folder = tmp_path / "folder"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))

    code, _, log = finish([*order(shop, folder), *options], preexec_fn=limit)
    assert code == 1, log
    assert log.count("\n") == 1
    assert "no space left on the disk; nothing was kept" in log
    assert shards(folder) == []
    assert parts(folder) == []
    code, _, log = finish([*order(shop, folder), *options])
    assert (code, log) == (0, "")
    assert len(shards(folder)) == SHARDS
    assert_same(shards(folder), one_file)


def test_a_simulator_that_changed_is_noticed(caloforge, shop, tmp_path):
    from handmade import write_simulator

    folder = tmp_path / "folder"
    assert caloforge(*order(shop, folder, showers=3000), "-q")[0] == 0
    other = write_simulator(tmp_path / "other", caloforge_version="1", generator_sha256=None)
    code, _, log = caloforge("generate", other, *order(shop, folder, showers=3000)[2:], "-q")
    assert code == 3
    assert "generator_sha256" in log
