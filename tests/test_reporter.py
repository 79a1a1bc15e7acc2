"""Results go to stdout, everything else to stderr; JSON is strict."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from caloforge.reporter import SILENT, Lines, Reporter, clock_time, to_json


def test_log_goes_to_stderr_and_results_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter()
    reporter.say("reading")
    reporter.warn("old format")
    reporter.result("mean 2.1", {"mean": 2.1})
    output = capsys.readouterr()
    assert output.out == "mean 2.1\n"
    assert output.err == "reading\nwarning: old format\n"


def test_quiet_keeps_warnings_and_results(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(quiet=True)
    reporter.say("reading")
    with reporter.progress("train", 10) as advance:
        advance(3, "loss 1")
    reporter.warn("old format")
    reporter.result("mean 2.1", {"mean": 2.1})
    output = capsys.readouterr()
    assert output.out == "mean 2.1\n"
    assert output.err == "warning: old format\n"
    assert reporter == SILENT


def test_json_is_one_strict_document(capsys: pytest.CaptureFixture[str]) -> None:
    record = {
        "rows": np.int64(3),
        "mean": np.float32(0.5),
        "none": float("nan"),
        "sums": np.array([[1.0, np.inf]]),
        "path": Path("a/b"),
        "names": ("x", "y"),
        1: None,
    }
    Reporter(json=True).result("not shown", record)
    output = capsys.readouterr().out
    assert json.loads(output, parse_constant=pytest.fail) == {
        "rows": 3,
        "mean": 0.5,
        "none": None,
        "sums": [[1.0, None]],
        "path": "a/b",
        "names": ["x", "y"],
        "1": None,
    }
    assert to_json({"a": 1}, indent=None) == '{"a": 1}'


def test_a_table_is_rendered_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    table = Table("row", "W1")
    table.add_row("generated", "2.10 ± 0.04")
    Reporter().result(table, {})
    output = capsys.readouterr().out
    assert "2.10 ± 0.04" in output
    assert "\x1b" not in output


def test_a_batch_log_gets_few_lines_with_rate_and_time_left() -> None:
    now = 0.0
    log_lines: list[str] = []
    lines = Lines("train", 1000, "steps", log_lines.append, clock=lambda: now)
    for step in range(1000):
        now = (step + 1) * 0.05
        lines.advance(1, f"loss {step}" if step % 2 else "")
    lines.close()
    assert len(log_lines) == 1 + 4 + 1  # at 2 s, then each 10 s of 50 s, and the end
    assert log_lines[0] == "train: 40/1000 steps, 20 steps/s, 0:48 left, loss 39"
    assert log_lines[-1] == "train: 1000/1000 steps, 20 steps/s, 0:50, loss 999"


def test_what_was_done_before_does_not_count_for_the_rate() -> None:
    ticks = iter([0.0, 10.0])
    log_lines: list[str] = []
    lines = Lines("make", 100, "rows", log_lines.append, clock=lambda: next(ticks), done=60)
    lines.advance(20)
    assert log_lines == ["make: 80/100 rows, 2 rows/s, 0:10 left"]


def test_short_work_says_nothing() -> None:
    log_lines: list[str] = []
    lines = Lines("read", 2, "rows", log_lines.append, clock=lambda: 1.0)
    lines.advance(2)
    lines.close()
    assert log_lines == []


def test_a_log_without_progress_does_not_guess_the_time_left() -> None:
    ticks = iter([0.0, 3.0])
    log_lines: list[str] = []
    Lines("read", 2, "rows", log_lines.append, clock=lambda: next(ticks)).advance(0)
    assert log_lines == ["read: 0/2 rows, 0 rows/s, ? left"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (65.4, "1:05"), (7207, "2:00:07"), (float("nan"), "?")]
)
def test_clock_time(seconds: float, text: str) -> None:
    assert clock_time(seconds) == text


TERMINAL = """
from caloforge.reporter import Reporter
with Reporter().progress("train", 4, "steps") as advance:
    for step in range(4):
        advance(1, f"loss {step}, and much more that is worth knowing of these networks")
"""


def terminal(columns: int) -> str:
    """What a terminal of so many columns is shown."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    subprocess.run([sys.executable, "-c", TERMINAL], stderr=theirs, env=environment, check=True)
    os.close(theirs)
    output = os.read(ours, 65536).decode()
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_terminal_gets_a_bar_with_the_time_left(columns: int) -> None:
    output = terminal(columns)
    lines = [line for line in re.split(r"[\r\n]+", output) if line.strip()]
    assert max(map(len, lines)) <= columns
    assert "4/4 steps" in lines[-1]
    assert re.search(r"steps/s, 0:00\b", lines[-1])
    assert re.search(r"^[-\\|/] train ", lines[0])
    assert "loss 3" in lines[-1]
    assert lines[-1].rstrip().endswith("…")
