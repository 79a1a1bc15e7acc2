"""A number with its error, from a bootstrap over particles.

Shapes: P particles, B resamplings and the sample itself before them: 1 + B.

Showers of one particle are not independent, hence whole particles are drawn again, with all their
showers on both sides; a resampling is a weight per particle, how often it was drawn.
Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
ROUNDING = 1e-12
LEAST_DEFINED = 0.5
"""Part of the resamplings that must give a number before their spread is called an error."""


@dataclass(frozen=True)
class Measured:
    """A value and its standard error; None where it is undefined, and then why."""

    value: float | None
    error: float | None = None
    note: str = ""

    @property
    def sigma(self) -> float | None:
        """The value in units of its error."""
        if self.value is None or not self.error:
            return None
        return self.value / self.error

    @property
    def record(self) -> dict[str, float | str | None]:
        """For JSON: value, error, and the note where there is one."""
        numbers: dict[str, float | str | None] = {"value": self.value, "error": self.error}
        return numbers | ({"note": self.note} if self.note else {})

    def __str__(self) -> str:
        """The value with two digits of its error, such as ``12.5 ± 0.6``."""
        if self.value is None:
            return self.note or "undefined"
        if self.error is None:
            return f"{self.value:.4g}"
        # Rounding alone is no error: a bootstrap of equal numbers leaves 1e-18.
        error = self.error if self.error > ROUNDING * max(1.0, abs(self.value)) else 0.0
        digits = _decimals(error, self.value)
        return f"{self.value:z.{digits}f} ± {error:.{digits}f}"


def resamplings(particles: int, count: int, rng: np.random.Generator) -> Values:
    """Weights of the particles: first the sample itself, then the resamplings.  (1 + B, P)"""
    if particles == 0:
        return np.ones((1 + count, 0))
    drawn = rng.multinomial(particles, np.full(particles, 1 / particles), size=count)
    return np.concatenate([np.ones((1, particles)), drawn])


def measured(replicates: Values, note: str = "undefined") -> Measured:
    """Value and error of a number under all resamplings, the sample's own first.  (1 + B,)

    ``note`` says why, should the value be undefined (NaN).
    """
    value, resampled = float(replicates[0]), replicates[1:]
    if not math.isfinite(value):
        return Measured(None, None, note)
    defined = resampled[np.isfinite(resampled)]
    if len(defined) < max(2, LEAST_DEFINED * len(resampled)):
        return Measured(value, None, "too few particles for an error")
    return Measured(value, float(defined.std(ddof=1)))


def _decimals(error: float, value: float) -> int:
    """Decimals that show two digits of the error, or four digits of an exact value."""
    scale = error if error > 0 else abs(value) * 1e-3
    if scale < ROUNDING:
        return 0
    return min(6, max(0, 1 - math.floor(math.log10(scale))))
