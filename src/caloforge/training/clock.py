"""Seconds spent on a run, those before a resumption included."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Wall-clock and processor seconds of this process since the run began."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    _wall: float = field(default_factory=time.perf_counter)
    _processor: float = field(default_factory=time.process_time)

    def read(self) -> dict[str, float]:
        """Seconds up to now, by name."""
        return {
            "seconds": self.seconds + time.perf_counter() - self._wall,
            "cpu_seconds": self.cpu_seconds + time.process_time() - self._processor,
        }
