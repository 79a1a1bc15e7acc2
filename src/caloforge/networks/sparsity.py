r"""How many cells are lit, with a gradient.

Shapes: N rows, K cells, L layers.

With s(t) = t / (1 + t) and X a cell over ``scale``, no cell being negative:

    root   (s(|X|^b + |X|^(1/b)))^(1/b), b = 5: 0 at 0 and 1 far out, the default
    sum    s(|X|^a + |X|^(1/b)), a = 6, b = 1.2: tends to 1/2 between 0 and 1 as a, b grow
    hard   1 where a cell is lit; no gradient

``root`` and ``sum`` are the forms of the branches variable-pos-angle and explicit-blur of
hep-lbdl/CaloGAN. Eq. 5 of the Conditional CaloGAN as printed has |X|^-b in place of |X|^(1/b): as a
and b grow it tends to 1 on both sides of |X| = 1 (by |X|^-b below, by |X|^a above) and is 1 at
X = 0, where Eq. 6 wants 0. It counts every cell and is not offered (docs/decisions/objectives.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from caloforge.detector import Detector

Form = Literal["root", "sum", "hard"]
EPSILON = 1e-3
"""Shifts powers off 0, where their slope is infinite; a smaller one is nearer to the authors' code
(without any), and lets the cells next to dark rule the gradient."""
BRIGHT = 1e4
"""Cells over scale from which on nothing changes; powers of larger ones overflow."""


def occupancy(
    detector: Detector,
    showers: Tensor,
    form: Form = "root",
    *,
    scale: float | None = None,
    epsilon: float = EPSILON,
) -> Tensor:
    """Part of the cells of each layer that are lit.  (N, K) -> (N, L)

    ``scale``: in the detector's unit; a quantum by default.
    """
    size = (showers / (detector.quantum if scale is None else scale)).clamp(0, BRIGHT)
    images = detector.split(FORMS[form](size, epsilon)).values()
    return torch.stack([image.mean(dim=(1, 2)) for image in images], dim=1)


def _root(size: Tensor, epsilon: float, beta: float = 5.0) -> Tensor:
    inner = softsign(size**beta + power(size, 1 / beta, epsilon))
    return power(inner, 1 / beta, epsilon)


def _sum(size: Tensor, epsilon: float, alpha: float = 6.0, beta: float = 1.2) -> Tensor:
    return softsign(size**alpha + power(size, 1 / beta, epsilon))


def _hard(size: Tensor, _: float) -> Tensor:
    return (size > 0).to(size.dtype)


def power(values: Tensor, exponent: float, epsilon: float) -> Tensor:
    """A root with a finite slope at 0; 0 at 0 and 1 at 1.  any shape"""
    floor, one = epsilon**exponent, (1 + epsilon) ** exponent
    return ((values + epsilon) ** exponent - floor) / (one - floor)


def softsign(values: Tensor) -> Tensor:
    """Numbers from 0 on, t / (1 + t).  any shape"""
    return values / (1 + values)


FORMS: dict[Form, Callable[[Tensor, float], Tensor]] = {"root": _root, "sum": _sum, "hard": _hard}
