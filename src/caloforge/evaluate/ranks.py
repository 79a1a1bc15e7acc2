"""Order inside strata: ranks and medians of values, stratum by stratum.

Shapes: N rows in S strata.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.repeats import Rows

Values = NDArray[np.float64]


def ranks_within(values: Values, stratum: Rows) -> Values:
    """Rank of each value in its stratum over n + 1, ties averaged: between 0 and 1.  (N,)

    NaN stays NaN and is not counted.
    """
    result = np.full(len(values), np.nan)
    there = np.flatnonzero(np.isfinite(values))
    if not len(there):
        return result
    order = there[np.lexsort((values[there], stratum[there]))]
    group, value = stratum[order], values[order]
    new_group = np.concatenate([[True], group[1:] != group[:-1]])
    new_value = new_group | np.concatenate([[True], value[1:] != value[:-1]])
    starts = np.flatnonzero(new_group)
    first = np.repeat(starts, np.diff(np.append(starts, len(order))))
    place = np.arange(len(order)) - first + 1.0
    tie = np.cumsum(new_value) - 1
    numbers = np.bincount(group)
    result[order] = (np.bincount(tie, place) / np.bincount(tie))[tie] / (numbers[group] + 1)
    return result


def medians_within(values: Values, stratum: Rows) -> Values:
    """Median of the values of each row's stratum, NaN without any.  (N,)"""
    strata = int(stratum.max(initial=-1)) + 1
    there = np.isfinite(values)
    order = np.lexsort((values[there], stratum[there]))
    ordered, group = values[there][order], stratum[there][order]
    numbers = np.bincount(group, minlength=strata)
    starts = np.cumsum(numbers) - numbers
    result = np.full(strata, np.nan)
    lit = numbers > 0
    low, high = (starts + (numbers - 1) // 2)[lit], (starts + numbers // 2)[lit]
    result[lit] = (ordered[low] + ordered[high]) / 2
    return result[stratum]
