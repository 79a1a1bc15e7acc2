"""Deposits of foreign files: MeV to GeV, and what is done with negative ones.

Shapes: N rows, K cells.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError

MEV_PER_GEV = 1000.0


class Clip:
    """Whether negative deposits become 0, and how many did."""

    def __init__(self, allowed: bool) -> None:
        self.allowed = allowed
        self.count = 0
        self.sum_mev = 0.0

    def told(self) -> dict[str, str]:
        """Provenance of a file that lost deposits; nothing where there were none."""
        if not self.count:
            return {}
        return {
            "clipped_deposits": f"{self.count} negative deposits, {self.sum_mev:g} MeV, set to 0"
        }


def to_gev(mev: NDArray[Any], name: str, *, clip: Clip, first_row: int) -> NDArray[np.float32]:
    """Deposits in GeV.  (N, K) -> (N, K)

    Raises DataError naming the first row that holds NaN, infinity, or (unless they are clipped)
    a negative deposit.
    """
    if not (mev >= 0).all() or not np.isfinite(mev).all():
        mev = _mended(mev, name, clip, first_row)
    return np.asarray(mev / MEV_PER_GEV, dtype=np.float32)


def _mended(mev: NDArray[Any], name: str, clip: Clip, first_row: int) -> NDArray[Any]:
    if len(bad := np.argwhere(~np.isfinite(mev))):
        raise DataError(f"{name} row {first_row + bad[0][0]}: a deposit is NaN or infinite")
    negative = mev < 0
    if not clip.allowed:
        row = int(np.flatnonzero(negative.any(axis=1))[0])
        raise DataError(
            f"{name} row {first_row + row}: a deposit is negative ({mev[row].min():g} MeV); "
            "--clip-negative takes such deposits for 0 and counts them"
        )
    clip.count += int(negative.sum())
    clip.sum_mev += float(mev[negative].sum())
    return np.where(negative, 0, mev)
