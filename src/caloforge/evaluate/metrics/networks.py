"""Small networks that classify showers or regress their conditions: inputs, training, stopping.

Shapes: N showers, K cells, C conditions, d inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.deviations import deviations, divisors
from caloforge.errors import CaloforgeError, DataError
from caloforge.evaluate.attributes import attributes
from caloforge.evaluate.observables import Observable, layer_sum, layout_of, observables, values_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
Loss = Callable[["Tensor", "Tensor"], "Tensor"]
NEEDS_TORCH = "needs the extra train"


@dataclass(frozen=True)
class ClassifierConfig:
    """Size and training of the classifier."""

    name: str
    widths: tuple[int, ...]
    learning_rate: float
    batch: int
    epochs: int
    patience: int
    """Epochs without a better validation loss after which it stops."""


DEFAULT = ClassifierConfig("default", (256, 256), 1e-3, 512, 30, 4)
CHALLENGE = ClassifierConfig("challenge", (2048, 2048), 2e-4, 1000, 50, 50)
"""The CaloChallenge's: 50 epochs, best epoch by accuracy there, by validation loss here."""
CLASSIFIER_CONFIGS = {config.name: config for config in (DEFAULT, CHALLENGE)}


def standardised(inputs: NDArray[np.float32], train: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean 0 and deviation 1 on the training rows; undefined inputs become 0.  (N, d)"""
    # The spread of a column that no row has would blind the limit for all others.
    inputs = np.where(np.isfinite(inputs[train]).any(axis=0), inputs, 0)
    mean = np.nanmean(inputs[train], axis=0)
    deviation = deviations(inputs[train])
    # Cells that hardly ever light would get huge values from a tiny deviation.
    least = 1e-2 * float(deviation.max(initial=0)) or 1.0
    scaled = np.nan_to_num((inputs - mean) / np.maximum(deviation, least))
    return np.asarray(scaled, dtype=np.float32)


def trained_answers(
    inputs: NDArray[np.float32],
    target: NDArray[Any],
    outputs: int,
    loss: Callable[[], Loss],
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    config: ClassifierConfig,
    seed: int,
) -> Values:
    """Answers for all rows by the network with the best validation loss.  (N, d) -> (N, outputs)

    Raises CaloforgeError where torch is not installed, DataError where no validation loss is a
    finite number; ``loss`` is asked for once torch is installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise CaloforgeError(f"the classifier {NEEDS_TORCH}") from error
    chance = torch.Generator().manual_seed(seed)
    network = _network(inputs.shape[1], config.widths, outputs, chance)
    table = torch.from_numpy(inputs)
    best = _fit(network, table, torch.from_numpy(target), loss(), train, validation, config, chance)
    network.load_state_dict(best)
    with torch.no_grad():
        check_results = [network(block) for block in torch.split(table, 8192)]
    return torch.cat(check_results).numpy().astype(np.float64)


def _fit(
    network: nn.Module,
    table: Tensor,
    target: Tensor,
    loss: Loss,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    config: ClassifierConfig,
    chance: Any,
) -> dict[str, Any]:
    """Train until the validation loss no longer falls; the best weights.

    Raises DataError where it never is a finite number.
    """
    import torch

    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    validation_rows, rows = torch.from_numpy(validation), torch.from_numpy(train)
    best, least, epochs_without_gain = {}, float("inf"), 0
    for _ in range(config.epochs):
        shuffled = rows[torch.randperm(len(rows), generator=chance)]
        for batch in torch.split(shuffled, config.batch):
            optimiser.zero_grad(set_to_none=True)
            loss(network(table[batch]), target[batch]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            validation_loss = float(loss(network(table[validation_rows]), target[validation_rows]))
        epochs_without_gain = 0 if validation_loss < least else epochs_without_gain + 1
        if validation_loss < least:
            best = {name: weight.clone() for name, weight in network.state_dict().items()}
            least = validation_loss
        if epochs_without_gain >= config.patience:
            break
    if not best:
        raise DataError("no validation loss is a finite number; are the showers' values too large?")
    return best


def _network(inputs: int, widths: tuple[int, ...], outputs: int, chance: Any) -> nn.Module:
    """Linear layers with leaky rectifiers, initialised from the generator."""
    from torch import nn

    sizes = [inputs, *widths]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.01)]
    layers.append(nn.Linear(sizes[-1], outputs))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, generator=chance)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


CELLS_SIZE = 3e-3
"""Below the hundredth of the largest deviation; 0.3 of an observable's size once scaled."""


def cells_and_observables(*samples: Showers) -> list[NDArray[np.float32]]:
    """Roots of the cells beside all observables, each block on its own scale.  (N, d) each

    Roots spread faint cells. Each observable is brought to unit spread; the cells together to so
    little that a classifier does not scale them one by one (``standardised``): beside observables
    hundreds of noisy inputs of full size cost it power. Both by the first sample.
    """
    observed = [_observed(one) for one in samples]
    roots = [np.sqrt(np.maximum(one.cells, 0).astype(np.float32)) for one in samples]
    scale = divisors(observed[0])
    bright = (float(np.sqrt(np.mean(roots[0] ** 2))) or 1.0) / CELLS_SIZE
    return [
        np.concatenate([root / bright, other / scale], axis=1).astype("f4")
        for root, other in zip(roots, observed, strict=True)
    ]


def conditions_of(*samples: Showers) -> list[NDArray[np.float32]]:
    """Conditions at unit spread of the first sample.  (N, C) each"""
    scale = divisors(samples[0].conditions)
    return [(one.conditions / scale).astype(np.float32) for one in samples]


def _observed(showers: Showers) -> Values:
    """All observables, those of the attributes, and the logarithm of each layer's energy."""
    detector, layout = showers.detector, layout_of(showers.detector)
    by_name: dict[str, Observable] = {o.name: o for o in observables(detector)}
    by_name |= {a.observable.name: a.observable for a in attributes(detector)}
    values = list(values_of(showers.cells, tuple(by_name.values()), layout).values())
    cells = showers.cells.astype(np.float64)
    sums = [layer_sum(cells, layout, layer=n) for n in range(len(detector.layers))]
    return np.column_stack([*values, *(np.log1p(s / detector.quantum) for s in sums)])
