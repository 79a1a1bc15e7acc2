"""What a judging network is shown of a shower: cells, observables and, if wanted, conditions.

Shapes: N showers, K cells, C conditions, d inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.attributes import attributes
from caloforge.evaluate.layered import layer_sum
from caloforge.evaluate.layout import layout_of
from caloforge.evaluate.observable import Observable
from caloforge.evaluate.observables import observables, values_of

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
CELLS_SIZE = 3e-3
"""Below the hundredth of the largest deviation; 0.3 of an observable's size once scaled."""


def cells_and_observables(*samples: Showers) -> list[NDArray[np.float32]]:
    """Roots of the cells beside all observables, each block on its own scale.  (N, d) each

    Roots spread faint cells. Each observable is brought to unit spread; the cells together to so
    little that a classifier does not scale them one by one (``standardised``): beside observables
    hundreds of noisy inputs of full size cost it power. Both by the first sample.
    """
    seen = [_observed(one) for one in samples]
    roots = [np.sqrt(np.maximum(one.cells, 0).astype(np.float32)) for one in samples]
    scale = np.nanstd(seen[0], axis=0)
    bright = (float(np.sqrt(np.mean(roots[0] ** 2))) or 1.0) / CELLS_SIZE
    return [
        np.concatenate([root / bright, other / np.where(scale > 0, scale, 1)], axis=1).astype("f4")
        for root, other in zip(roots, seen, strict=True)
    ]


def conditions_of(*samples: Showers) -> list[NDArray[np.float32]]:
    """Conditions at unit spread of the first sample.  (N, C) each"""
    spread = samples[0].conditions.std(axis=0)
    scale = np.where(spread > 0, spread, 1)
    return [(one.conditions / scale).astype(np.float32) for one in samples]


def _observed(showers: Showers) -> Values:
    """All observables, those of the attributes, and the logarithm of each layer's energy."""
    detector, layout = showers.detector, layout_of(showers.detector)
    wanted: dict[str, Observable] = {o.name: o for o in observables(detector)}
    wanted |= {a.observable.name: a.observable for a in attributes(detector)}
    values = list(values_of(showers.cells, tuple(wanted.values()), layout).values())
    cells = showers.cells.astype(np.float64)
    sums = [layer_sum(cells, layout, layer=n) for n in range(len(detector.layers))]
    return np.column_stack([*values, *(np.log1p(s / detector.quantum) for s in sums)])
