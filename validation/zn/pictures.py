"""Pictures of the neutron calorimeter: showers as the papers show them, and learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from caloforge.detectors import ALICE_ZN
from caloforge.report.images import shower_rows
from validation.pictures import image, learning_curves
from validation.summary import Group
from validation.zn.measures import GROUPS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]


def all_of(runs: Sequence[Group], references: Record) -> dict[str, Figure]:
    """Figures by file name; none without a run."""
    if not runs:
        return {}
    plots = {f"showers-{name}.png": showers(runs, references, name) for name in GROUPS[::2]}
    return plots | {"learning.png": learning_curves(runs)}


def showers(runs: Sequence[Group], references: Record, name: str) -> Figure:
    """Three showers of one particle, real and by each method, the five channel sums under each."""
    rows = {"real": references["shown"][name]}
    rows |= {one.label: one.whole[0]["shown"][name] for one in runs}
    layer = ALICE_ZN.layers[0]
    rows_shown = {
        label: (
            np.stack([image(one, layer.shape) for one in row["showers"]]),
            [" ".join(f"{value:.0f}" for value in sums) for sums in row["channels"]],
        )
        for label, row in rows.items()
    }
    return shower_rows(rows_shown, layer, label="photons")
