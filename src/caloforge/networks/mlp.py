"""Two hidden layers: the networks of the 2-D benchmark, and of any detector with few cells.

Shapes: N rows, Z latents, F features, K cells.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import softplus

from caloforge.detector import Detector

WIDTH = 64


class MlpBody(nn.Module):
    """Dense 64 and 64, then the cells; positive unless signed.  (N, Z + F) -> (N, K)"""

    def __init__(self, detector: Detector, inputs: int) -> None:
        super().__init__()
        self.hidden = hidden_layers(inputs)
        self.cells = nn.Linear(WIDTH, detector.cells)
        self.signed = detector.signed

    def forward(self, inputs: Tensor) -> Tensor:
        cells: Tensor = self.cells(self.hidden(inputs))
        return cells if self.signed else softplus(cells)


def hidden_layers(inputs: int) -> nn.Sequential:
    """Two activated layers.  (N, inputs) -> (N, 64)"""
    return nn.Sequential(
        nn.Linear(inputs, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(0.2)
    )
