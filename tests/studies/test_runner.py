"""The runner of all studies keeps what is there and makes what is missing."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from caloforge.errors import CaloforgeError, GateFailed, Terminated, UsageError
from caloforge.jobs import only_run
from caloforge.reporter import SILENT
from validation.runner import RUNS, Records, Study, carry_out, read_records, write_record


@dataclass(frozen=True)
class Number:
    """A run that writes a number, and says in a file that it ran."""

    number: int
    does: str = "works"
    part: str = "number"

    @property
    def name(self) -> str:
        return f"number-{self.number}"

    def is_record_of(self, record: Mapping[str, Any]) -> bool:
        return bool(record["number"] == self.number)

    def execute(self, folder: Path) -> dict[str, Any]:
        with (folder / "executed").open("a") as stream:
            stream.write(f"{self.number}\n")
        if self.does == "fails":
            raise CaloforgeError("no such number")
        if self.does == "is asked to leave":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
        return {"number": self.number, "part": self.part}


def page(folder: Path) -> None:
    (folder / "README.md").write_text(str(len(read_records(folder))))


def summary(folder: Path) -> str:
    return (folder / "README.md").read_text()


def three(quick: bool, seed: int, records: Records) -> Iterator[Number]:
    """Two runs, and a third that is known once both are there."""
    yield from (Number(seed + number) for number in range(1 if quick else 2))
    if len(records) >= 2:
        yield Number(2)


def failing(quick: bool, seed: int, records: Records) -> Iterator[Number]:
    yield from (Number(number, "fails" if number == 1 else "works") for number in range(3))


def stopped(quick: bool, seed: int, records: Records) -> Iterator[Number]:
    yield from (Number(n, "is asked to leave" if n == 1 else "works") for n in range(3))


def twelve(quick: bool, seed: int, records: Records) -> Iterator[Number]:
    yield from (Number(number) for number in range(12))


def study(plan: Any, **more: Any) -> Study:
    return Study("numbers", plan, page, summary, **more)


def run(plan: Any, folder: Path, **options: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"quick": False, "seed": 0, "workers": 1, "reporter": SILENT}
    return carry_out(study(plan), folder, **usual | options)


def executed(folder: Path) -> list[str]:
    return (folder / "executed").read_text().split()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_plan_is_made_once_and_asked_again_as_records_come(tmp_path: Path, workers: int) -> None:
    actual = run(three, tmp_path, workers=workers)
    assert (actual["records"], actual["missing"]) == (3, 0)
    assert sorted(executed(tmp_path)) == ["0", "1", "2"]
    assert (tmp_path / "README.md").read_text() == "3"
    run(three, tmp_path, workers=workers)
    assert len(executed(tmp_path)) == 3


def test_a_record_of_another_run_is_made_again(tmp_path: Path) -> None:
    run(three, tmp_path)
    write_record(tmp_path / RUNS / "number-1.json", {"number": 7})
    run(three, tmp_path)
    assert executed(tmp_path)[3:] == ["1"]
    assert read_records(tmp_path)["number-1"]["number"] == 1


def test_one_run_by_its_name_and_none_for_the_page(tmp_path: Path) -> None:
    assert run(three, tmp_path, only="number-1")["records"] == 1
    assert executed(tmp_path) == ["1"]
    (tmp_path / "README.md").unlink()
    run(three, tmp_path, page=True)
    assert executed(tmp_path) == ["1"]
    assert (tmp_path / "README.md").is_file()
    with pytest.raises(UsageError, match="no run of that name: number-9"):
        run(three, tmp_path, only="number-9")


def test_runs_by_a_pattern_of_names(tmp_path: Path) -> None:
    run(twelve, tmp_path, only="number-1*")
    assert executed(tmp_path) == ["1", "10", "11"]
    assert run(twelve, tmp_path, only="*")["records"] == 12


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_fails_stops_no_other(tmp_path: Path, workers: int) -> None:
    with pytest.raises(CaloforgeError, match="1 runs failed; first number-1: no such number"):
        run(failing, tmp_path, workers=workers)
    assert sorted(read_records(tmp_path)) == ["number-0", "number-2"]
    assert (tmp_path / "README.md").read_text() == "2"


def test_a_stopped_study_has_its_page_and_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Terminated, match="the same command goes on"):
        run(stopped, tmp_path)
    assert executed(tmp_path) == ["0", "1"]
    assert (tmp_path / "README.md").read_text() == "2"
    assert run(stopped, tmp_path)["records"] == 3
    assert executed(tmp_path) == ["0", "1", "2"]


def test_minutes_end_a_study_without_an_error(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Slow(Number):
        def execute(self, folder: Path) -> dict[str, Any]:
            time.sleep(0.1)
            return super().execute(folder)

    def endless(quick: bool, seed: int, records: Records) -> Iterator[Slow]:
        yield from (Slow(number) for number in range(100))

    actual = run(endless, tmp_path, minutes=0.3 / 60)
    assert 0 < actual["records"] < 100


def test_two_runners_never_share_a_folder(tmp_path: Path) -> None:
    with only_run(tmp_path), pytest.raises(UsageError, match="writes here"):
        run(three, tmp_path)


def test_unmet_statements_fail_a_full_study_only(tmp_path: Path) -> None:
    whole = study(three, unmet=lambda folder: ["the first", "the second"])
    usual: dict[str, Any] = {"seed": 0, "workers": 1, "reporter": SILENT}
    carry_out(whole, tmp_path, quick=True, **usual)
    with pytest.raises(GateFailed, match="2 statements are not met; first: the first"):
        carry_out(whole, tmp_path, quick=False, **usual)
    assert (tmp_path / "README.md").is_file()


def test_references_are_made_once(tmp_path: Path) -> None:
    whole = study(three, references=lambda: {"at": time.time()})
    usual: dict[str, Any] = {"quick": False, "seed": 0, "workers": 1, "reporter": SILENT}
    carry_out(whole, tmp_path, **usual)
    first = json.loads((tmp_path / "references.json").read_text())
    carry_out(whole, tmp_path, **usual)
    assert json.loads((tmp_path / "references.json").read_text()) == first


def test_the_command_line_names_its_studies(study: Any) -> None:
    code, _, err = study("dots")
    assert (code, err) == (
        2,
        "validation: no study dots; there are calogan, cost, data, gpu, points, proton, "
        "proton-script, rival, transport, zn\n",
    )
