"""What a figure of speed or memory has to name: the processor, and the peak memory."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

PROC = Path("/proc")


def peak_memory_mb() -> float:
    """Peak resident memory of this process, in MB (10^6 bytes).

    VmHWM, because ``ru_maxrss`` is inherited from the process that started this one.
    """
    status = PROC / "self" / "status"
    if status.is_file():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
        if found:
            return int(found[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def processor() -> str:
    """Name of the processor, as the system gives it."""
    information = PROC / "cpuinfo"
    if information.is_file():
        found = re.search(r"model name\s*:\s*(.+)", information.read_text(encoding="utf-8"))
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


__all__ = ["peak_memory_mb", "processor"]
