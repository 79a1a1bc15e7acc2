"""Fréchet and kernel distances of high-level features (FPD and KPD of arXiv:2211.10295).

Shapes: n and m showers, d features.

Both divide every feature by its largest absolute real value, as the CaloChallenge does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.evaluate.measured import Measured

Values = NDArray[np.float64]
SIZES = 10
DRAWS = 20
LEAST_ROWS, MOST_ROWS = 10_000, 50_000
KERNEL_ROWS = 5_000
KERNEL_DRAWS = 10
SIGMA_QUANTILES = (0.16275, 0.83725)


def fpd(real: Values, generated: Values, *, rng: np.random.Generator) -> Measured:
    """Fréchet distance, extrapolated to infinitely many showers.  (n, d), (m, d)

    The distance at ten sizes, regular in 1/N, each the mean of 20 draws with replacement; a line in
    1/N gives the value at 0 and its error. Sizes are 10 000 to 50 000 showers, or half of the
    smaller sample to all of it where there are fewer.
    """
    real, generated = _scaled(real, generated)
    most = min(MOST_ROWS, len(real), len(generated))
    least = LEAST_ROWS if most > LEAST_ROWS else max(2, most // 2)
    sizes = np.unique((1 / np.linspace(1 / least, 1 / most, SIZES)).astype(np.int64))
    means = [
        np.mean(
            [
                frechet(
                    real[rng.integers(0, len(real), n)],
                    generated[rng.integers(0, len(generated), n)],
                )
                for _ in range(DRAWS)
            ]
        )
        for n in sizes
    ]
    return _extrapolated(1 / sizes, np.array(means))


def frechet(a: Values, b: Values) -> float:
    """|mean_a - mean_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^1/2), Gaussians of both samples.  (n, d)"""
    first, second = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    shift = a.mean(axis=0) - b.mean(axis=0)
    # The roots of the eigenvalues of C_a C_b, which are those of a symmetric matrix: not negative.
    roots = np.linalg.eigvals(first @ second).real
    return float(shift @ shift + np.trace(first + second) - 2 * np.sqrt(np.maximum(roots, 0)).sum())


def kpd(real: Values, generated: Values, *, rng: np.random.Generator) -> Measured:
    """Median over ten draws of the unbiased MMD with a quartic kernel.  (n, d), (m, d)

    Draws of 5 000 showers, or of half of the smaller sample; error: half the central 68 %.
    """
    real, generated = _scaled(real, generated)
    size = max(2, min(KERNEL_ROWS, len(real) // 2, len(generated) // 2))
    found = [
        mmd(
            real[rng.choice(len(real), size, replace=False)],
            generated[rng.choice(len(generated), size, replace=False)],
        )
        for _ in range(KERNEL_DRAWS)
    ]
    low, high = np.quantile(found, SIGMA_QUANTILES)
    return Measured(float(np.median(found)), float(high - low) / 2)


def mmd(a: Values, b: Values) -> float:
    """Unbiased squared maximum mean discrepancy, kernel (x.y / d + 1)^4.  (n, d), (m, d)"""
    within = sum(_off_diagonal(_kernel(s, s)) for s in (a, b))
    return within - 2 * float(_kernel(a, b).mean())


def _kernel(a: Values, b: Values) -> Values:
    kernel: Values = a @ b.T / a.shape[1] + 1
    # Twice squared is the fourth power, ten times sooner than by ``**``.
    np.square(kernel, out=kernel)
    return np.square(kernel, out=kernel)


def _off_diagonal(kernel: Values) -> float:
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))


def _scaled(real: Values, generated: Values) -> tuple[Values, Values]:
    """Features over their largest real value; rows with an undefined one are left out."""
    samples = [sample[np.isfinite(sample).all(axis=1)] for sample in (real, generated)]
    if min(len(sample) for sample in samples) < 2:
        raise DataError("FPD and KPD need at least two showers a side with all features defined")
    largest = np.abs(samples[0]).max(axis=0)
    scale = np.where(largest > 0, largest, 1)
    return samples[0] / scale, samples[1] / scale


def _extrapolated(inverse: Values, values: Values) -> Measured:
    """Value at 0 of a line through points, both of its numbers not negative, and the error."""
    from scipy.optimize import nnls

    table = np.stack([np.ones_like(inverse), inverse], axis=1)
    if len(values) < 3:
        return Measured(float(values.mean()), None)
    fitted, residual = nnls(table, values)
    variance = residual**2 / (len(values) - 2) * np.linalg.inv(table.T @ table)[0, 0]
    return Measured(float(fitted[0]), float(np.sqrt(variance)))
