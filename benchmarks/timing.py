"""CPU time of contenders in turn, round by round; what is compared was disturbed alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from caloforge.reporter import SILENT, Reporter

Work = Callable[[], object]


@dataclass(frozen=True)
class Spread:
    """Median over the rounds, and the quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Of the values of all rounds."""
        low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
        return cls(middle, low, high)


@dataclass(frozen=True)
class Timings:
    """CPU seconds of each contender in each round."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """Median seconds of a contender."""
        return float(np.median(self.seconds[name]))

    def ratio(self, slow: str, fast: str) -> Spread:
        """How many times faster, paired within each round."""
        pairs = zip(self.seconds[slow], self.seconds[fast], strict=True)
        return Spread.of([a / b for a, b in pairs])


def take_turns(
    work: Mapping[str, Work], rounds: int, reporter: Reporter = SILENT, what: str = "rounds"
) -> Timings:
    """Time all contenders once a round, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    with reporter.progress(what, rounds + 1, "rounds") as advance:
        for number in range(rounds + 1):
            for name, call in work.items():
                start = time.process_time()
                call()
                cpu_seconds = time.process_time() - start
                if number:
                    seconds[name].append(cpu_seconds)
            advance()
    return Timings(seconds)


__all__ = ["Spread", "Timings", "Work", "take_turns"]
