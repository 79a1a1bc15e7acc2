"""What a check found: one line a finding, and whether all of them are as they should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_PULL = 5.0
RELATIVE = 1e-4
"""What float32 arithmetic may change in a sum."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    passed: bool
    text: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """All findings on one bundle."""

    target: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every finding is good."""
        return all(finding.passed for finding in self.findings)

    def record(self) -> dict[str, Any]:
        """The verdict as a JSON document."""
        entries = {
            finding.what: {"passed": finding.passed} | dict(finding.values)
            for finding in self.findings
        }
        return {"target": self.target, "passed": self.passed, "findings": entries}

    def __str__(self) -> str:
        lines = [
            f"{'ok  ' if finding.passed else 'FAIL'}  {finding.what}: {finding.text}"
            for finding in self.findings
        ]
        ending = "passed" if self.passed else "failed"
        return "\n".join([*lines, f"{self.target} bundle {ending}"])


def means_agree(
    what: str,
    labels: tuple[str, ...],
    found: NDArray[np.float64],
    expected: NDArray[np.float64],
    error: NDArray[np.float64],
) -> Finding:
    """Whether means agree within their statistical errors.  all (n,)"""
    scale = np.sqrt(error**2 + (RELATIVE * np.abs(expected)) ** 2 + 1e-12)
    pulls = (found - expected) / scale
    worst = int(np.argmax(np.abs(pulls)))
    text = (
        f"{labels[worst]} {found[worst]:.5g} against {expected[worst]:.5g} +- {scale[worst]:.2g}"
        f" ({pulls[worst]:+.1f} sigma, the worst of {len(labels)})"
    )
    values = {
        label: {"found": float(f), "expected": float(e), "error": float(s)}
        for label, f, e, s in zip(labels, found, expected, scale, strict=True)
    }
    return Finding(what, bool(np.abs(pulls).max() <= LARGEST_PULL), text, values)


def numbers_agree(
    what: str, found: NDArray[Any], expected: NDArray[Any], tolerance: float = RELATIVE
) -> Finding:
    """Whether two arrays agree, as a share of the largest number; default: to float32."""
    scale = float(np.abs(expected).max()) or 1.0
    difference = float(np.abs(found - expected).max()) / scale
    text = f"largest deviation {difference:.1e} of the largest (allowed {tolerance:.0e})"
    return Finding(what, difference <= tolerance, text, {"deviation": difference})


__all__ = ["LARGEST_PULL", "Finding", "Verdict", "means_agree", "numbers_agree"]
