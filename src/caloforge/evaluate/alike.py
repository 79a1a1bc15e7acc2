"""Distances of whole showers inside a stratum: do both sides mix, and are they equally diverse?

Shapes: N pooled rows, K cells, S strata, B exchanges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.exchange import Labels
from caloforge.evaluate.pool import Pool
from caloforge.evaluate.repeats import Rows

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Distances:
    """Distances between all showers of one stratum, in units of their mean.  (n, n)"""

    rows: Rows
    between: Values


def distances_within(pool: Pool) -> list[Distances]:
    """Euclidean distances of the square roots of the cells (of the cells, if signed).

    A square root makes the noise of a Poisson count the same for all counts (Bartlett 1936).
    Strata in which all showers are equal are left out.
    """
    order = np.argsort(pool.stratum, kind="stable")
    edges = np.flatnonzero(np.diff(pool.stratum[order])) + 1
    found = []
    for rows in np.split(order, edges):
        cells = np.asarray(pool.cells[rows], dtype=np.float64)
        cells = cells if pool.detector.signed else np.sqrt(cells)
        squares = np.einsum("nk,nk->n", cells, cells)
        between = np.sqrt(np.maximum(squares[:, None] + squares - 2 * cells @ cells.T, 0))
        np.fill_diagonal(between, 0)
        if between.any():
            found.append(Distances(rows, between / between.mean()))
    return found


def energy_and_diversity(found: list[Distances], labels: Labels) -> tuple[Values, Values]:
    """Energy distance, and within-generated minus within-real distance.  (1 + B, N) -> (1 + B,) x 2

    E = 2 <generated, real> - <generated, generated'> - <real, real'> (Szekely & Rizzo 2013), both
    as means over strata weighted by their rows.
    """
    energy, diversity, weight = np.zeros(len(labels)), np.zeros(len(labels)), 0.0
    for stratum in found:
        made = labels[:, stratum.rows].astype(np.float64)
        true = 1 - made
        n, m = true[0].sum(), made[0].sum()
        if n < 1 or m < 1:
            continue
        share = n * m / (n + m)
        weight += share
        towards_made = made @ stratum.between
        cross = np.einsum("bn,bn->b", towards_made, true) / (n * m)
        inside = np.einsum("bn,bn->b", towards_made, made) / max(m * (m - 1), 1)
        real = np.einsum("bn,bn->b", true @ stratum.between, true) / max(n * (n - 1), 1)
        energy += share * (2 * cross - inside - real)
        diversity += share * (inside - real)
    return energy / max(weight, 1e-30), diversity / max(weight, 1e-30)
