"""One number to choose between simulators while training: lower is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from caloforge.errors import DataError
from caloforge.evaluate.conditional import conditional_w1
from caloforge.evaluate.distances import w1, w1_channels
from caloforge.evaluate.observables import observe

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

SCORE_HALVINGS = 8


def fast_score(
    real: Showers, generated: Showers, scheme: str | None = None, seed: int = 0
) -> float:
    """Mean conditional W1 of the channel sums; the marginal W1 where no particle has repeats.

    Both in the detector's unit, without errors; ``judge`` gives those. Deposits without repeats:
    the mean W1 of all observables, each in units of its real spread, for a marginal W1 of sums
    hardly sees a conditional error. Raises DataError when the showers are of another detector or
    not finite.
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
    if conditional is not None:
        return conditional
    detector = real.detector
    return marginal if detector.counts or detector.signed else of_observables(real, generated)


def of_observables(real: Showers, generated: Showers) -> float:
    """Mean W1 of all observables over their real spread; one that is never defined counts 1."""
    seen, others = observe(real).values, observe(generated).values
    distances = []
    for name, values in seen.items():
        pair = [column[np.isfinite(column)] for column in (values, others[name])]
        spread = float(pair[0].std()) if len(pair[0]) else 0.0
        if spread > 0:
            distances.append(w1(*pair) / spread if len(pair[1]) else 1.0)
    return float(np.mean(distances)) if distances else 0.0
