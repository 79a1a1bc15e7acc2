"""The file of means and scales that O2 reads, by O2's own grammar.

Contract: AliceO2 ``Detectors/ZDC/fastsimulation/src/Utils.cxx`` (parse_block) and
``FastSimulations.cxx`` (loadScales): a line that is exactly ``#means``, one number a line up to an
empty line or the end; then the same with ``#scales``. ``std::stof`` reads each number: it stops at
the first character that fits no number, and throws for what float32 cannot hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError

CONDITIONS = 9
SMALLEST, LARGEST = 2.0**-126, float(np.finfo(np.float32).max)
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Scales:
    """Means and scales of the nine conditions, as O2 holds them."""

    means: NDArray[np.float32]
    scales: NDArray[np.float32]

    def apply(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """(raw - mean) / scale in single precision.  (N, 9) -> (N, 9)"""
        return (raw - self.means) / self.scales

    def text(self) -> str:
        """The file, with numbers that read back as the same float32."""
        means, scales = ("".join(f"{value!s}\n" for value in part) for part in self._parts())
        return f"#means\n{means}\n#scales\n{scales}"

    def _parts(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.means.astype(np.float32), self.scales.astype(np.float32)


def read_scales(path: Path) -> Scales:
    """Means and scales of a file; DataError where O2 would stop or switch fast simulation off."""
    try:
        with path.open(encoding="utf-8", newline="\n") as stream:
            text = stream.read(1 << 20)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from error
    if "\r" in text:
        raise DataError(f"{path} has lines that end in CR LF; O2 reads LF only")
    lines = iter(text.split("\n"))
    blocks = [parse_block(lines, option, path) for option in ("#means", "#scales")]
    for option, block in zip(("#means", "#scales"), blocks, strict=True):
        if len(block) != CONDITIONS:
            raise DataError(f"{path}: {len(block)} numbers follow {option}, O2 wants {CONDITIONS}")
    means, scales = (np.array(block, dtype=np.float32) for block in blocks)
    if not (np.isfinite(means).all() and np.isfinite(scales).all() and scales.all()):
        raise DataError(f"{path}: a scale is 0 or a number is not finite; O2 divides by it")
    return Scales(means, scales)


def parse_block(lines: Iterator[str], option: str, path: Path) -> list[float]:
    """Numbers behind a line ``option``, up to an empty line; lines before it are skipped."""
    for line in lines:
        if line == option:
            break
    numbers = []
    for line in lines:
        if not line:
            break
        numbers.append(stof(line, path))
    return numbers


def stof(line: str, path: Path) -> float:
    """What ``std::stof`` makes of a line; DataError where it throws."""
    found = NUMBER.match(line)
    if found is None:
        raise DataError(f"{path}: O2 stops at {line!r}, which is no number")
    value = float(found[0])
    if value and not SMALLEST <= abs(value) <= LARGEST:
        raise DataError(f"{path}: O2 stops at {line.strip()}, which float32 cannot hold")
    return value


__all__ = ["CONDITIONS", "Scales", "parse_block", "read_scales", "stof"]
