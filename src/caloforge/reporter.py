"""What a person or a program is told: results on stdout, log and progress on stderr.

Results as small tables of a notebook.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from caloforge.errors import one_line, printable

if TYPE_CHECKING:
    from rich.console import RenderableType


FIRST_LINE_SECONDS = 2.0
LINE_SECONDS = 10.0
FILE_WIDTH = 120


class Advance(Protocol):
    """Tells that ``n`` more were done, and what is worth knowing now."""

    def __call__(self, n: int = 1, note: str = "") -> None: ...


@dataclass(frozen=True)
class Reporter:
    """Passed down to whatever may take long; it holds no state of its own."""

    quiet: bool = False
    json: bool = False

    def say(self, text: str) -> None:
        """One line of log on stderr, nothing when quiet."""
        if not self.quiet:
            write(sys.stderr, f"{printable(text)}\n")

    def warn(self, text: str) -> None:
        """One line on stderr that even a quiet run shows."""
        write(sys.stderr, f"warning: {one_line(text)}\n")

    def result(self, text: str | RenderableType, record: Mapping[str, Any]) -> None:
        """What the command was asked for, on stdout: text, or one JSON document if asked."""
        if self.json:
            unicode = "utf" in (getattr(sys.stdout, "encoding", None) or "utf").lower()
            write(sys.stdout, f"{to_json(record, ascii_only=not unicode)}\n")
        elif isinstance(text, str):
            write(sys.stdout, f"{printable(text).rstrip()}\n")
        else:
            write(sys.stdout, rendered(text))

    @contextmanager
    def progress(
        self, what: str, total: int, unit: str = "rows", done: int = 0
    ) -> Iterator[Advance]:
        """Yield ``advance(n, note)``: a bar on a terminal, a line each ten seconds elsewhere.

        ``done`` were done before, and do not count for the rate.
        """
        if self.quiet:
            yield _ignore
        elif sys.stderr.isatty():
            with _bar(what, total, unit, done) as advance:
                yield advance
        else:
            lines = Lines(what, total, unit, self.say, done=done)
            yield lines.advance
            lines.close()


SILENT = Reporter(quiet=True)


@dataclass
class Lines:
    """Progress for batch logs, which must not fill with bars."""

    what: str
    total: int
    unit: str
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    note: str = ""
    before: int = field(init=False)
    """Done before the work began."""
    started: float = field(init=False)
    due: float = field(init=False)

    def __post_init__(self) -> None:
        self.before = self.done
        self.started = self.clock()
        self.due = self.started + FIRST_LINE_SECONDS

    def advance(self, n: int = 1, note: str = "") -> None:
        """Count, and write a line when one is due."""
        self.done += n
        self.note = note or self.note
        now = self.clock()
        if now >= self.due and self.done < self.total:
            self.due = now + LINE_SECONDS
            self.say(self._line(now))

    def close(self) -> None:
        """A last line, if the work was long enough to have deserved one."""
        now = self.clock()
        if now - self.started >= FIRST_LINE_SECONDS:
            self.say(self._line(now))

    def _line(self, now: float) -> str:
        elapsed = now - self.started
        speed = rate_and_time(self.done - self.before, self.total - self.done, self.unit, elapsed)
        parts = [f"{self.done}/{self.total} {self.unit}", speed]
        return f"{self.what}: {', '.join([*parts, *filter(None, [self.note])])}"


def rate_and_time(done: int, left: int, unit: str, seconds: float) -> str:
    """Mean rate since the beginning, and the time left at this rate, or at the end the time taken.

    >>> rate_and_time(40, 960, "steps", 2.0)
    '20 steps/s, 0:48 left'
    """
    rate = done / max(seconds, 1e-9)
    text = f"{rate:.0f}" if rate >= 1000 else f"{rate:.4g}"
    remaining = left / rate if rate > 0 else math.inf
    ending = f"{clock_time(remaining)} left" if left > 0 else clock_time(seconds)
    return f"{text} {unit}/s, {ending}"


def clock_time(seconds: float) -> str:
    """Hours, minutes and seconds, such as 1:05 or 2:00:07; ``?`` where it is unknown."""
    if not math.isfinite(seconds):
        return "?"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def write(stream: TextIO, text: str) -> None:
    """Write and flush; a reader that went away, as ``head`` does, ends no work.

    What a stream cannot take otherwise (a full disk) is raised.
    """
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # Python would complain again when it flushes at the end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def to_json(record: Any, indent: int | None = 2, *, ascii_only: bool = False) -> str:
    """Strict JSON of nested records; numbers that JSON lacks (NaN, infinity) become null.

    Names of files that are no UTF-8 are escaped.
    """
    text = json.dumps(_plain(record), indent=indent, allow_nan=False, ensure_ascii=ascii_only)
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    if isinstance(value, PathLike):
        return fspath(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays, without importing numpy
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def rendered(text: RenderableType) -> str:
    """A table as text, as wide as the terminal, coloured where stdout is one."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else FILE_WIDTH
    console = Console(file=sys.stdout, width=width)
    with console.capture() as captured:
        console.print(text)
    return captured.get()


def _ignore(n: int = 1, note: str = "") -> None:
    """Quiet progress."""


@contextmanager
def _bar(what: str, total: int, unit: str, before: int) -> Iterator[Advance]:
    from rich import progress
    from rich.console import Console
    from rich.table import Column
    from rich.text import Text

    class Speed(progress.ProgressColumn):
        """By all of the work: the few last seconds say nothing of pieces that take minutes."""

        def render(self, task: progress.Task) -> Text:
            done, seconds = int(task.completed), task.finished_time or task.elapsed or 0.0
            return Text(rate_and_time(done - before, total - done, unit, seconds))

    class Note(progress.TextColumn):
        """What is cut where a terminal is narrow, and never wrapped."""

        def render(self, task: progress.Task) -> Text:
            text = super().render(task)
            text.no_wrap, text.overflow = True, "ellipsis"
            return text

    columns = (
        progress.SpinnerColumn("line", finished_text=" "),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=24),
        progress.TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
        # What may not wrap keeps its width; the bar and the note give theirs.
        Speed(table_column=Column(no_wrap=True)),
        Note("{task.fields[note]}", table_column=Column(no_wrap=False)),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total, completed=before, unit=unit, note="")

        def advance(n: int = 1, note: str = "") -> None:
            bar.update(task, advance=n, note=note or bar.tasks[task].fields["note"])

        yield advance


def table_of(title: str, rows: Mapping[str, Any]) -> str:
    """An HTML table of names and values, everything escaped.

    >>> table_of("run", {"steps": 3})
    '<table><caption>run</caption><tr><th>steps</th><td>3</td></tr></table>'
    """
    lines = (
        f"<tr><th>{escape(name)}</th><td>{text_of(value)}</td></tr>" for name, value in rows.items()
    )
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"


def text_of(value: Any) -> str:
    """A value in a cell; numbers with four digits."""
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))
