"""What follows a training run: callbacks at each step, line of metrics and checkpoint."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from caloforge.errors import CaloforgeError, UsageError
from caloforge.io.files import append, write_aside
from caloforge.machine import install
from caloforge.training.folder import RunFolder
from caloforge.training.metrics import Parts


class Callback:
    """Follows a run; a subclass overrides what it needs. Only the process that writes calls it."""

    def begin(
        self, folder: Path, columns: Sequence[str], lines: Sequence[Mapping[str, Any]], step: int
    ) -> None:
        """Before the first step: the run folder, names of all numbers, lines up to ``step``."""

    def step(self, step: int, losses: Parts) -> None:
        """After each step, with the value of each term by player."""

    def line(self, record: Mapping[str, Any]) -> None:
        """A line of ``metrics.jsonl``; those with ``score`` were scored."""

    def checkpoint(self, step: int, path: Path) -> None:
        """After a checkpoint."""

    def end(self) -> None:
        """After the last step, or when the run is left."""


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers of a nested record by path, such as ``losses/generator/Paired``.

    >>> flat({"step": 3, "losses": {"critic": {"R1": 0.5}}})
    {'step': 3, 'losses/critic/R1': 0.5}
    """
    numbers: dict[str, float] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            numbers |= flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            numbers[f"{prefix}{name}"] = value
    return numbers


class CsvLog(Callback):
    """``metrics.csv`` in the run folder: the numbers of ``metrics.jsonl`` as a table.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> log = CsvLog()
        >>> log.begin(folder, ["step", "losses/generator/Paired"], [], 0)
        >>> log.line({"step": 20, "losses": {"generator": {"Paired": 0.7}}})
        >>> (folder / "metrics.csv").read_text().split()
        ['step,losses/generator/Paired', '20,0.7']
    """

    def begin(
        self, folder: Path, columns: Sequence[str], lines: Sequence[Mapping[str, Any]], step: int
    ) -> None:
        """Write what a resumed run has logged already."""
        self.path, self.columns = RunFolder(folder).csv_log, list(columns)
        with write_aside(self.path, overwrite=True) as part:
            text = "".join(map(self._row, lines))
            part.write_text(f"{','.join(self.columns)}\n{text}", encoding="utf-8")

    def line(self, record: Mapping[str, Any]) -> None:
        """Add a row."""
        append(self.path, self._row(record))

    def _row(self, record: Mapping[str, Any]) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, extrasaction="ignore", lineterminator="\n")
        writer.writerow(flat(record))
        return text.getvalue()


class TensorBoardLog(Callback):
    """``tensorboard/`` in the run folder, for ``tensorboard --logdir``."""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise CaloforgeError(
                f"--log tensorboard needs tensorboard: {install('tensorboard')}"
            ) from error
        self._kind: Any = SummaryWriter

    def begin(
        self, folder: Path, columns: Sequence[str], lines: Sequence[Mapping[str, Any]], step: int
    ) -> None:
        """Open the log; what an earlier process wrote after ``step`` does not count."""
        self.writer: Any = self._kind(RunFolder(folder).tensorboard_log, purge_step=step + 1)

    def line(self, record: Mapping[str, Any]) -> None:
        """All numbers but the step itself."""
        for name, value in flat(record).items():
            if name != "step":
                self.writer.add_scalar(name, value, record["step"])

    def checkpoint(self, step: int, path: Path) -> None:
        """Write out what is buffered."""
        self.writer.flush()

    def end(self) -> None:
        """Close the log."""
        self.writer.close()


LOGS: dict[str, Callable[[], Callback]] = {"csv": CsvLog, "tensorboard": TensorBoardLog}


def logs_of_names(names: Sequence[str]) -> list[Callback]:
    """The logs of these names; UsageError with those that exist."""
    for name in names:
        if name not in LOGS:
            raise UsageError(f"--log {name}: there are {', '.join(LOGS)}")
    return [LOGS[name]() for name in dict.fromkeys(names)]


__all__ = ["LOGS", "Callback", "CsvLog", "TensorBoardLog", "flat", "logs_of_names"]
