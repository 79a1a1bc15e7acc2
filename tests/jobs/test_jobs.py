"""Calls, workers and locks: errors come back, deaths are made good, folders have one writer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from caloforge.errors import CaloforgeError, DataError, Terminated, UsageError
from caloforge.io.files import require_possible_folder
from caloforge.jobs import ALONE, LOCK, Call, CallProgress, Executor, Limits, only_run
from caloforge.jobs.cluster import Options
from caloforge.jobs.process import Process
from extras import needs
from full_disk import largest_file

Run = Callable[..., tuple[int, str, str]]
PROCESSES = Executor("futures", 2)


def squared(number: int) -> int:
    return number**2


def refuse(number: int) -> None:
    raise DataError(f"number {number} is odd")


def fail() -> None:
    raise ZeroDivisionError("a bug")


def die_once(mark: Path) -> str:
    """Die, and live in the next process."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def die() -> None:
    os._exit(9)


def wait_for_sigterm(mark: Path) -> None:
    from caloforge.machine import asked_to_leave

    with asked_to_leave() as leaving:
        mark.touch()
        while not leaving():
            time.sleep(0.01)
        mark.write_text("checkpoint")
        raise Terminated("left")


@pytest.mark.parametrize("executor", [ALONE, PROCESSES], ids=["alone", "processes"])
def test_calls_return_what_they_return_and_what_they_meet(executor: Executor) -> None:
    calls = [Call(squared, (3,)), Call(refuse, (1,)), Call(squared, (4,))]
    outcomes = {one.number: one for one in executor.run(calls)}
    assert (outcomes[0].result(), outcomes[2].result()) == (9, 16)
    with pytest.raises(DataError, match="number 1 is odd"):
        outcomes[1].result()
    assert list(executor.run([])) == []


def count_to(mark: Path, number: int, *, advance: Callable[[int], None]) -> int:
    for done in range(1, number + 1):
        advance(done)
        if done == 2 and not mark.exists():
            mark.touch()
            os._exit(1)
    return number


@pytest.mark.parametrize("executor", [ALONE, PROCESSES], ids=["alone", "processes"])
def test_calls_say_how_much_is_done_and_count_anew_after_a_death(
    tmp_path: Path, executor: Executor
) -> None:
    marks = [tmp_path / "dies", tmp_path / "lives"]
    for mark in marks if executor is ALONE else marks[1:]:
        mark.touch()
    increments: list[int] = []
    within = CallProgress(lambda n=1, note="": increments.append(n))
    calls = [Call(count_to, (mark, 3), counts=True) for mark in marks]
    for done in executor.run(calls, on_count=within.count):
        within.count(done.number, done.result())
    assert sum(increments) == 6
    assert (min(increments) < 0) == (executor is PROCESSES)
    assert increments.count(1) >= 6


def test_a_failure_of_who_counts_is_no_death_of_a_worker(tmp_path: Path) -> None:
    def fail_to_count(number: int, done: int) -> None:
        raise OSError("the progress cannot be written")

    call = Call(count_to, (tmp_path, 3), counts=True)
    with pytest.raises(OSError, match="the progress"):
        list(PROCESSES.run([call], on_count=fail_to_count))


def test_a_bug_in_a_worker_is_raised_here_with_its_place() -> None:
    outcomes = next(PROCESSES.run([Call(fail)]))
    with pytest.raises(ZeroDivisionError, match="a bug") as failure:
        outcomes.result()
    assert "in fail" in "".join(failure.value.__notes__)


def test_dead_workers_are_replaced_so_many_times(tmp_path: Path) -> None:
    calls = [Call(die_once, (tmp_path / "mark",)), Call(die, (), "dying")]
    outcomes = {one.number: one for one in PROCESSES.run(calls)}
    assert outcomes[0].result() == "alive"
    with pytest.raises(CaloforgeError, match="3 workers died while dying"):
        outcomes[1].result()
    once = next(PROCESSES.run([Call(die)], Limits(attempts=1)))
    with pytest.raises(CaloforgeError, match="exit code 9"):
        once.result()


@pytest.mark.parametrize("executor", [ALONE, PROCESSES], ids=["alone", "processes"])
def test_sigterm_reaches_the_call_under_way(tmp_path: Path, executor: Executor) -> None:
    mark = tmp_path / "mark"
    killer = subprocess.Popen(
        ["sh", "-c", f"while [ ! -e {mark} ]; do sleep 0.05; done; kill -TERM {os.getpid()}"]
    )
    with pytest.raises(Terminated):
        list(executor.run([Call(wait_for_sigterm, (mark,)), Call(squared, (1,))]))
    assert mark.read_text() == "checkpoint"
    killer.wait()


def test_no_worker_outlives_its_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); import test_jobs; from pathlib import Path\n"
        "from caloforge.jobs import Call, Executor\n"
        "call = Call(test_jobs.wait_for_sigterm, (Path(sys.argv[1]),))\n"
        "list(Executor('futures', 1).run([call]))"
    )
    here = str(Path(__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(mark), here],
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    deadline = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the worker is still there")


# ---- batch systems ---------------------------------------------------------------------------


REFUSES = "echo 'invalid account or partition' >&2; exit 1"


@pytest.mark.parametrize(
    ("cluster", "command", "script"),
    [
        ("slurm", "sbatch", REFUSES),
        ("htcondor", "condor_submit", None),
        pytest.param("slurm", "sbatch", None, marks=pytest.mark.slow),
        pytest.param("htcondor", "condor_submit", REFUSES, marks=pytest.mark.slow),
    ],
)
def test_a_batch_system_that_takes_no_job_costs_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: str, command: str, script: str | None
) -> None:
    needs("dask_jobqueue")
    if script is not None:
        (tmp_path / command).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    executor = Executor("dask", 2, cluster, {"log_directory": str(tmp_path)})
    reason = "no such command" if script is None else "invalid account or partition"
    start = time.monotonic()
    with pytest.raises(CaloforgeError, match=f"takes no job: {command}.*{reason}"):
        list(executor.run([Call(squared, (1,))]))
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("options", "kind", "reason"),
    [
        ({"n_workers": 4}, UsageError, "LocalCluster says: .*multiple values .* 'n_workers'"),
        ({"interface": "nope"}, CaloforgeError, "LocalCluster does not start: .*'nope' is not"),
    ],
)
def test_options_that_a_cluster_refuses_cost_one_line(
    options: Options, kind: type[CaloforgeError], reason: str
) -> None:
    needs("distributed")
    with pytest.raises(kind, match=reason):
        list(Executor("dask", 1, "local", options).run([Call(squared, (1,))]))


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    needs("distributed")
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(CaloforgeError, match=r"tcp://127\.0\.0\.1:9: no scheduler answers"),
    ):
        list(Executor("dask", 1, "tcp://127.0.0.1:9").run([Call(squared, (1,))]))


# ---- the lock --------------------------------------------------------------------------------


@contextmanager
def another_writer(folder: Path, **environ: str) -> Iterator[int]:
    """A process that holds a folder."""
    code = (
        "import sys, time; from pathlib import Path; from caloforge.jobs import only_run\n"
        "with only_run(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environ},
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder.pid
    finally:
        holder.kill()
        holder.communicate()


def test_a_second_writer_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with another_writer(folder) as pid:
        with pytest.raises(UsageError, match=f"process {pid} on .* writes here"), only_run(folder):
            pass
        assert (folder / LOCK).exists()
    with only_run(folder):
        assert json.loads((folder / LOCK).read_text())["pid"] == os.getpid()
    assert not (folder / LOCK).exists()


@pytest.mark.parametrize("verb", ["train", "search", "transport", "generate"])
def test_every_verb_that_fills_a_folder_has_the_lock(
    tmp_path: Path, caloforge: Run, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr("caloforge.transport.run.require_engine", lambda: None)
    out = tmp_path / "out"
    commands = {
        "train": ["sdi-gan", "--force"],
        "search": ["sdi-gan", "--grid", "training.steps=1,2"],
        "transport": ["atlas_em", "--spectrum", "eplus", "-n", 1, "--force"],
        "generate": ["alice_zn", "-n", 10, "--shards", 1, "--engine", "onnxruntime", "--force"],
    }
    folder = tmp_path / "out.parts" if verb == "transport" else out
    with another_writer(folder) as pid:
        code, output, log = caloforge(verb, *commands[verb], "--out", out, "-q")
    assert (code, output, log.count("\n")) == (2, "", 1)
    assert f"{folder}: process {pid} on {os.uname().nodename} writes here" in log


def test_a_link_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / LOCK).symlink_to(tmp_path / "thesis.tex")
    with pytest.raises(UsageError, match="is a symbolic link"), only_run(folder):
        pass
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_the_log_of_a_worker_follows_no_link_and_its_end_is_read(tmp_path: Path) -> None:
    thesis, log = tmp_path / "thesis.tex", tmp_path / "worker-0.log"
    thesis.write_text("years of work")
    log.symlink_to(thesis)
    script = 'exec 2>>"$0"; truncate -s 64G "$0"; echo; echo the end >&2'
    worker = Process(["sh", "-c", script, str(log)], os.environ, log)
    worker.child.wait(60)
    assert thesis.read_text() == "years of work"
    worker.stop()
    assert worker.last_words().endswith("the end")


def test_a_lock_on_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with (
        largest_file(0),
        pytest.raises(CaloforgeError, match="run: File too large"),
        only_run(tmp_path / "run"),
    ):
        pass
    assert not any(tmp_path.iterdir())


def test_a_link_is_no_folder_of_a_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    for target in (tmp_path / "elsewhere", tmp_path / "nowhere"):
        out.unlink(missing_ok=True)
        out.symlink_to(target)
        with pytest.raises(UsageError, match="is a link to"), only_run(out):
            pass
        with pytest.raises(UsageError, match="is a link to"):
            require_possible_folder(out)
        assert not target.exists()


def test_a_folder_that_a_refused_run_made_goes_again(tmp_path: Path) -> None:
    with pytest.raises(DataError), only_run(tmp_path / "a" / "b"):
        raise DataError("no showers")
    assert not (tmp_path / "a" / "b").exists()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file; name a folder"), only_run(tmp_path / "file"):
        pass


FAKE_FILE_SYSTEM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
int flock(int fd, int op) {
  const char *e = getenv("FAKE_FLOCK");
  if (e) { errno = atoi(e); return -1; }
  int (*real)(int, int) = dlsym(RTLD_NEXT, "flock");
  return real(fd, op);
}
int fsync(int fd) {
  const char *e = getenv("FAKE_FSYNC");
  if (e) { errno = atoi(e); return -1; }
  int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
  return real(fd);
}
"""


@pytest.fixture(scope="module")
def fake_file_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that answers flock and fsync as network file systems do."""
    folder = tmp_path_factory.mktemp("fake")
    (folder / "fake.c").write_text(FAKE_FILE_SYSTEM)
    build = ["cc", "-shared", "-fPIC", "-o", folder / "fake.so", folder / "fake.c", "-ldl"]
    try:
        subprocess.run(build, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no C compiler here")
    return folder / "fake.so"


OTHERS = [pytest.param(code, marks=pytest.mark.slow) for code in ("EOPNOTSUPP", "ENOLCK")]


@pytest.mark.parametrize("code", ["ENOSYS", *OTHERS])
def test_without_locks_the_note_decides(tmp_path: Path, fake_file_system: Path, code: str) -> None:
    import errno

    fake = {"LD_PRELOAD": str(fake_file_system), "FAKE_FLOCK": str(getattr(errno, code))}
    script = (
        "import sys; from pathlib import Path; from caloforge.jobs import only_run\n"
        "with only_run(Path(sys.argv[1])): print('inside')"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "run")]

    def second() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env={**os.environ, **fake}, capture_output=True, text=True, check=False
        )

    outcomes = second()
    assert (outcomes.returncode, outcomes.stdout) == (0, "inside\n")
    assert outcomes.stderr.count("\n") == 1
    assert "offers no locks" in outcomes.stderr
    with another_writer(tmp_path / "run", **fake) as pid:
        assert f"process {pid} on" in second().stderr
    assert second().returncode == 0, "the lock of a dead process is taken over"


def test_a_production_needs_neither_locks_nor_fsync(tmp_path: Path, fake_file_system: Path) -> None:
    import errno

    fake = {
        "LD_PRELOAD": str(fake_file_system),
        "FAKE_FLOCK": str(errno.EOPNOTSUPP),
        "FAKE_FSYNC": str(errno.EINVAL),
    }
    command = [sys.executable, "-m", "caloforge", "generate", "alice_zn", "-n", "20"]
    command += ["--shards", "1", "--engine", "onnxruntime", "-q", "--out", str(tmp_path / "p")]
    process = subprocess.run(
        command, env={**os.environ, **fake}, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    lines = process.stderr.splitlines()
    assert sum("no locks" in line for line in lines) == 1
    assert sum("no fsync" in line for line in lines) == 1
    assert len(lines) == 2, process.stderr
