"""Where physical units become network numbers, and back. Nothing outside networks is scaled.

Shapes: N rows, C conditions, F features, K cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector


class ConditionScale(nn.Module):
    """Standardised features of physical conditions.  (N, C) -> (N, F)"""

    mean: Tensor
    std: Tensor

    def __init__(self, detector: Detector, scaling: FeatureScaling) -> None:
        super().__init__()
        self._plain = (
            [detector.column(name) for feature in scaling.features for name in feature.of]
            if all(feature.kind == "value" for feature in scaling.features)
            else None
        )
        self.features = [
            (feature, [detector.column(name) for name in feature.of])
            for feature in scaling.features
        ]
        self.size = len(scaling.features)
        self.register_buffer("mean", torch.as_tensor(scaling.mean, dtype=torch.float32))
        self.register_buffer("std", torch.as_tensor(scaling.std, dtype=torch.float32))
        self._last: tuple[Tensor, Tensor] | None = None

    def forward(self, conditions: Tensor) -> Tensor:
        return (self._remembered(conditions) - self.mean) / self.std

    def _remembered(self, conditions: Tensor) -> Tensor:
        """As ``_values``; in training, where two players meet a batch, computed once.  (N, F)"""
        if not self.training or conditions.requires_grad:
            return self._values(conditions)
        if self._last is None or self._last[0] is not conditions:
            self._last = conditions, self._values(conditions)
        return self._last[1]

    def _values(self, conditions: Tensor) -> Tensor:
        """Features in physical units; conditions as they are in one step.  (N, C) -> (N, F)"""
        if self._plain is not None:
            return conditions[:, self._plain]
        return torch.stack(
            [f.value(torch, *(conditions[:, c] for c in of)) for f, of in self.features], dim=1
        )


class ResponseScale(nn.Module):
    """Cells in units of the detector's quantum, on a log scale unless they are signed."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.quantum, self.signed = detector.quantum, detector.signed

    def encode(self, showers: Tensor) -> Tensor:
        """ln(1 + x / quantum).  (N, K) -> (N, K)"""
        ratio = showers / self.quantum
        return ratio if self.signed else torch.log1p(ratio)

    def steady(self, sums: Tensor) -> Tensor:
        """Sums of cells as square roots, where Poisson noise is even.  (N, M) -> (N, M)"""
        ratio = sums / self.quantum
        return ratio if self.signed else torch.sqrt(ratio.clamp(min=0) + 3 / 8)

    def decode(self, encoded: Tensor) -> Tensor:
        """The inverse of ``encode``, in the detector's unit.  (N, K) -> (N, K)"""
        return (encoded if self.signed else torch.exp(encoded) - 1) * self.quantum
