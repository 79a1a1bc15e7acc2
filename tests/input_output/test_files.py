"""Output is whole or absent, and what existed is safe."""

import errno
import hashlib
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from caloforge.errors import CaloforgeError, UsageError
from caloforge.io import files
from caloforge.io.files import (
    _remove_left_by_the_dead,
    alone_in,
    new_folder,
    remove_unfinished,
    require_possible_file,
    sha256_of,
    write_aside,
    write_aside_folder,
)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_under_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "showers.h5"
    with write_aside(target) as part:
        part.write_bytes(b"whole")
        assert part.parent == target.parent
        assert part.suffix == ".h5"
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert names(target.parent) == ["showers.h5"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "showers.h5"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), write_aside(target, overwrite=True) as part:
        part.write_bytes(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["showers.h5"]


def test_existing_output_is_refused_before_any_work_unless_forced(tmp_path: Path) -> None:
    target = tmp_path / "showers.h5"
    target.write_bytes(b"old")
    refusal = pytest.raises(UsageError, match=r"showers\.h5 exists already; --force")
    with refusal, write_aside(target):
        pytest.fail("the work has begun")
    with write_aside(target, overwrite=True) as part:
        part.write_bytes(b"new")
    assert target.read_bytes() == b"new"


def test_a_file_that_somebody_else_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "showers.h5"
    with pytest.raises(UsageError, match="exists already"), write_aside(target) as part:
        part.write_bytes(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["showers.h5"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("Can't write data (file write failed: errno = 28, error message = 'No space')"),
        RuntimeError("Can't decrement id ref count (errno = 28, error message = 'No space')"),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    target = tmp_path / "showers.h5"
    refusal = pytest.raises(CaloforgeError, match="no space left")
    with refusal as caught, write_aside(target) as part:
        part.write_bytes(b"half")
        raise error
    assert str(target) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_other_failures_of_the_system_keep_their_own_error(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), write_aside(tmp_path / "a") as part:
        part.touch()
        raise PermissionError(errno.EACCES, "no")
    assert names(tmp_path) == []


def test_a_folder_where_a_file_is_meant_and_the_reverse(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    refusal = pytest.raises(UsageError, match="is a folder")
    with refusal, write_aside(tmp_path / "folder", overwrite=True):
        pass
    refusal = pytest.raises(UsageError, match="is a file")
    with refusal, write_aside_folder(tmp_path / "file", overwrite=True):
        pass
    with pytest.raises(UsageError, match="is a file"):
        new_folder(tmp_path / "file", overwrite=True)


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "simulator"
    for text in ("old", "new"):
        with write_aside_folder(target, overwrite=True) as part:
            (part / "sub").mkdir()
            (part / "sub" / "generator.onnx").write_text(text)
    assert (target / "sub" / "generator.onnx").read_text() == "new"
    assert names(tmp_path) == ["simulator"]
    with pytest.raises(UsageError, match="exists already"), write_aside_folder(target):
        pytest.fail("the work has begun")


def test_force_never_loses_files_that_we_did_not_write(tmp_path: Path) -> None:
    thesis = tmp_path / "home" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.touch()
    refusal = pytest.raises(UsageError, match=r"thesis\.tex, which would be lost")
    with refusal, write_aside_folder(thesis.parent, overwrite=True) as part:
        (part / "generator.onnx").touch()
    assert names(tmp_path / "home") == ["thesis.tex"]
    assert names(tmp_path) == ["home"]


def test_a_new_folder_is_empty_or_forced(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "first"
    assert new_folder(run) == run
    assert new_folder(run) == run
    (run / "recipe.json").touch()
    with pytest.raises(UsageError, match="exists already"):
        new_folder(run)
    assert names(new_folder(run, overwrite=True)) == ["recipe.json"]


def test_leftovers_of_a_killed_process_can_be_removed(tmp_path: Path) -> None:
    with write_aside(tmp_path / "checkpoint.pt") as part:
        part.touch()
        kept_by_a_kill = part.with_name(part.name.replace("checkpoint", "simulator"))
        kept_by_a_kill.mkdir()
    mine = [".hidden", ".notes.partial.txt", ".thesis.parts"]
    for name in mine:
        (tmp_path / name).touch()
    remove_unfinished(tmp_path)
    assert names(tmp_path) == [*mine, "checkpoint.pt"]


def test_sha256(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    (tmp_path / "file").write_bytes(data)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("write", [write_aside, write_aside_folder])
def test_a_dash_is_not_standard_output(write):
    with pytest.raises(UsageError, match="standard output takes no files"), write(Path("-")):
        pass


def test_links_devices_and_pipes_are_refused(tmp_path: Path) -> None:
    target, link = tmp_path / "mine", tmp_path / "out.h5"
    target.write_bytes(b"mine")
    link.symlink_to(target)
    with pytest.raises(UsageError, match="is a link to"), write_aside(link, overwrite=True):
        pytest.fail("the work has begun")
    with pytest.raises(UsageError, match="is a link to"), write_aside_folder(link, overwrite=True):
        pytest.fail("the work has begun")
    pipe = tmp_path / "pipe.h5"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="device or a pipe"), write_aside(pipe, overwrite=True):
        pytest.fail("the work has begun")
    assert target.read_bytes() == b"mine"
    for place in (link, pipe, tmp_path, pipe / "out.h5", Path("/proc/out.h5")):
        with pytest.raises(CaloforgeError):
            require_possible_file(place, overwrite=True)
    require_possible_file(tmp_path / "new" / "out.h5")
    assert names(tmp_path) == ["mine", "out.h5", "pipe.h5"]


def test_what_dead_processes_left_is_swept_and_what_live_ones_write_is_not(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib; from caloforge.io.files import write_aside\n"
        "with write_aside(pathlib.Path(sys.argv[1])) as part:\n"
        "    part.touch(); os._exit(9)"
    )
    for name in ("write_aside", "folder_aside"):
        dying = script.replace("write_aside", name)
        dying = dying.replace("touch()", "exists()") if name == "folder_aside" else dying
        subprocess.run([sys.executable, "-c", dying, tmp_path / "dead.h5"], check=False)
        assert len(names(tmp_path)) == 1
    with write_aside(tmp_path / "alive.h5") as part:
        part.touch()
        _remove_left_by_the_dead.cache_clear()
        with write_aside(tmp_path / "other.h5") as other:
            other.touch()
        assert part.exists()
    assert names(tmp_path) == ["alive.h5", "other.h5"]


@pytest.mark.parametrize("process", [0, 2**31, 2**80])
def test_a_number_that_no_process_can_have_is_of_a_dead_one(tmp_path: Path, process: int) -> None:
    left = tmp_path / f".out.{files._machine()}-{process}-{'0' * 16}.part.h5"
    left.touch()
    _remove_left_by_the_dead.cache_clear()
    with write_aside(tmp_path / "other.h5") as other:
        other.touch()
    assert names(tmp_path) == ["other.h5"]


def test_a_long_name_is_no_obstacle(tmp_path: Path) -> None:
    for name in ("é" * 120 + ".h5", "a." + "b" * 240):
        with write_aside(tmp_path / name) as part:
            part.write_text("whole")
        assert (tmp_path / name).read_text() == "whole"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.EACCES, "Permission denied"),
        (errno.ENOTEMPTY, "has written it just now"),
    ],
)
def test_a_folder_that_cannot_take_its_name_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, says: str
) -> None:
    old = tmp_path / "simulator"
    old.mkdir()
    (old / "a").write_text("old")

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(files, "_exchange", lambda *_: False)
    refusal = pytest.raises((OSError, UsageError), match=says)
    with refusal, write_aside_folder(old, overwrite=True) as part:
        (part / "a").write_text("new")
    assert (old / "a").read_text() == "old"
    assert names(tmp_path) == ["simulator"]


@pytest.mark.skipif(sys.platform != "linux", reason="swaps names in one step")
def test_a_folder_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between two renames would leave the name without a folder."""
    old = tmp_path / "simulator"
    old.mkdir()
    (old / "a").write_text("old")

    def refuse(*_: object) -> None:
        raise AssertionError("renamed in two steps")

    monkeypatch.setattr(Path, "rename", refuse)
    with write_aside_folder(old, overwrite=True) as part:
        (part / "a").write_text("new")
    assert (old / "a").read_text() == "new"
    assert names(tmp_path) == ["simulator"]


def test_files_of_one_page_wait_for_those_of_another(tmp_path: Path) -> None:
    from caloforge.report.pages import _write

    texts = {tmp_path / "r.json": "numbers", tmp_path / "r.html": "page"}
    second = threading.Thread(target=_write, args=(texts, False))
    with alone_in(tmp_path):
        second.start()
        second.join(0.2)
        assert second.is_alive()
        assert not any(path.exists() for path in texts)
    second.join(10)
    assert [path.read_text() for path in texts] == ["numbers", "page"]


def test_a_folder_that_cannot_be_synchronised_is_warned_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fsync = os.fsync

    def fail_for_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_for_folders)
    for name in ("first.txt", "second.txt"):
        with write_aside(tmp_path / name) as part:
            part.write_text("whole")
    assert capsys.readouterr().err.count(f"{tmp_path} was not synchronised") == 1
    assert names(tmp_path) == ["first.txt", "second.txt"]
