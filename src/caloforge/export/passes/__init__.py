"""Rewrites of a graph that change its speed but not its function; each is proved by a test.

Applied when a simulator is exported, so that every runtime and every other reader gains. A pass
takes a model and returns how often it applied; it leaves alone whatever it does not recognise.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx

from caloforge.export.passes.algebra import shuffle_after_convolution
from caloforge.export.passes.normalisation import fold_batch_norm
from caloforge.export.passes.phases import convolve_phases
from caloforge.export.passes.waves import stack_waves

PASSES: tuple[Callable[[onnx.ModelProto], int], ...] = (
    fold_batch_norm,
    shuffle_after_convolution,
    convolve_phases,
    stack_waves,
)
"""In this order: a convolution behind a normalisation is only seen once that is folded."""


def simplify(model: onnx.ModelProto) -> dict[str, int]:
    """Apply all passes in place, and tell how often each applied."""
    return {apply.__name__: apply(model) for apply in PASSES}


__all__ = ["PASSES", "simplify"]
