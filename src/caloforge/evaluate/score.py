"""One number to choose between simulators while training: lower is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from caloforge.errors import DataError
from caloforge.evaluate.conditional import conditional_w1
from caloforge.evaluate.distances import w1_channels

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

SCORE_HALVINGS = 8


def fast_score(
    real: Showers, generated: Showers, scheme: str | None = None, seed: int = 0
) -> float:
    """Mean conditional W1 of the channel sums; the marginal W1 where no particle has repeats.

    Both in the detector's unit, without errors; ``judge`` gives those. Raises DataError when the
    showers are of another detector or not finite.
    """
    if real.detector.fingerprint != generated.detector.fingerprint:
        raise DataError(f"{generated.detector.name} showers against {real.detector.name} showers")
    rng = np.random.default_rng(seed)
    sums = real.detector.read_out(real.cells, scheme)
    others = real.detector.read_out(generated.cells, scheme)
    marginal = float(w1_channels(sums, others).mean())
    conditional = conditional_w1(
        sums, others, real.particle, generated.particle, halvings=SCORE_HALVINGS, rng=rng
    ).mean
    return marginal if conditional is None else conditional
