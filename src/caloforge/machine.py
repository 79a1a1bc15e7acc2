"""What a figure of speed or memory has to name: the processor, its instructions, the memory."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

from caloforge.errors import UsageError

PROC = Path("/proc")
MOST_THREADS = 512
"""Threads of one process that are taken for meant."""
KERNEL_FLAGS = ("avx", "amx", "fma", "sse4", "asimd", "sve", "bf16", "i8mm")


def require_threads(threads: int) -> int:
    """The number, if it is one of threads; UsageError else.

    >>> require_threads(2)
    2
    """
    if not 1 <= threads <= MOST_THREADS:
        raise UsageError(f"{threads} threads: give a number from 1 to {MOST_THREADS}")
    return threads


def peak_memory_mb() -> float:
    """Peak resident memory of this process, in MB (10^6 bytes).

    VmHWM, because ``ru_maxrss`` is inherited from the process that started this one.
    """
    status = PROC / "self" / "status"
    if status.is_file():
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
        if match:
            return int(match[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def processor() -> str:
    """Name of the processor, as the system gives it."""
    information = PROC / "cpuinfo"
    if information.is_file():
        match = re.search(r"model name\s*:\s*(.+)", information.read_text(encoding="utf-8"))
        if match:
            return match[1].strip()
    return platform.processor() or platform.machine()


def cpu_flags() -> tuple[str, ...]:
    """Instructions that decide which kernel a runtime takes, hence the last bits of its sums."""
    information = PROC / "cpuinfo"
    if not information.is_file():
        return ()
    text = information.read_text(encoding="utf-8")
    match = re.search(r"^(?:flags|Features)\s*:\s*(.+)", text, re.MULTILINE)
    flags = match[1].split() if match else []
    return tuple(sorted({flag for flag in flags if flag.startswith(KERNEL_FLAGS)}))


def install(extra: str) -> str:
    """What installs an extra: the checkout itself where the program runs from one."""
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").is_file():
        return f"pip install -e '{checkout}[{extra}]'"
    return f"pip install '.[{extra}]' in a checkout of caloforge"
