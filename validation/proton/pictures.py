"""Figures 2 and 3 of the proton paper, from the records.

Shapes: n showers as images (n, 56, 30); N channel sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.detectors import detector_of_name
from caloforge.report.figures import ratio_histogram
from caloforge.report.images import shower_rows
from validation.campaign.group import Group
from validation.proton.judging import TAILS
from validation.proton.plan import DETECTOR

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]


def pictures(finals: Sequence[Group], real: Record) -> dict[str, Figure]:
    """Figures by file name; none without a run."""
    whole = [one for one in finals if one.whole]
    if not whole:
        return {}
    channels = {f"figure3-{title.replace(' ', '')}.png": label for label, title in TAILS.items()}
    return {
        "figure2.png": showers_of(whole, real),
        **{name: sums_of(whole, real, label) for name, label in channels.items()},
    }


def showers_of(finals: Sequence[Group], real: Record) -> Figure:
    """Figure 2: a row of showers for each method, the same particles below each other."""
    layer = detector_of_name(DETECTOR).layers[0]
    rows = {"real": real} | {one.label: one.whole[0] for one in finals}
    drawn = {}
    for label, record in rows.items():
        images = np.stack([image(one, layer.shape) for one in record["showers"]])
        texts = [f"{total:.0f}" for total in images.sum(axis=(1, 2))]
        drawn[label.removeprefix("proton-")] = (images, texts)
    return shower_rows(drawn, layer, label="photons")


def image(shower: Record, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A shower of a record.  (nx, ny)"""
    cells = np.zeros(shape)
    cells.flat[shower["cells"]] = shower["counts"]
    return cells


def sums_of(finals: Sequence[Group], real: Record, label: str) -> Figure:
    """Figure 3: a channel, all seeds of a method together."""
    slot = np.array(real["slot"])
    others = {
        one.label.removeprefix("proton-"): (
            np.concatenate([np.array(run["sums"][label], dtype=float) for run in one.whole]),
            np.tile(slot, len(one.whole)),
        )
        for one in finals
    }
    truth = np.array(real["sums"][label], dtype=float)
    title = f"photons in {TAILS[label]}"
    return ratio_histogram((truth, slot), others, slot.max() + 1, label=title, whole=True)
