"""Classifier two-sample test: how well a trained network tells generated from real showers.

Shapes: N showers of both samples, d inputs.

AUC 0.5 and JSD 0: it cannot; AUC 1 and JSD 1: it always can (arXiv:1610.06545, arXiv:2106.05285).
Particles are split, never their showers: a network that knows a particle by heart learns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import CaloforgeError, DataError
from caloforge.evaluate.measured import Measured, measured, resamplings

if TYPE_CHECKING:
    from torch import Tensor, nn

Values = NDArray[np.float64]
Labels = NDArray[np.bool_]
PARTS = (0.6, 0.2, 0.2)
RESAMPLINGS = 200
NEEDS_TORCH = "needs caloforge[train]"


@dataclass(frozen=True)
class Schooling:
    """Size and training of the classifier."""

    name: str
    widths: tuple[int, ...]
    learning_rate: float
    batch: int
    epochs: int
    patience: int
    """Epochs without a better validation loss after which it stops."""


DEFAULT = Schooling("default", (256, 256), 1e-3, 512, 30, 4)
CHALLENGE = Schooling("challenge", (2048, 2048), 2e-4, 1000, 50, 50)
"""The CaloChallenge's: 50 epochs, best epoch by accuracy there, by validation loss here."""
SCHOOLINGS = {schooling.name: schooling for schooling in (DEFAULT, CHALLENGE)}


@dataclass(frozen=True)
class Told:
    """What the classifier reached on particles it never saw."""

    auc: Measured
    jsd: Measured


def classify(
    real: NDArray[Any],
    generated: NDArray[Any],
    particle_real: NDArray[np.int64],
    particle_generated: NDArray[np.int64],
    *,
    seed: int = 0,
    schooling: Schooling = DEFAULT,
) -> Told:
    """AUC and Jensen-Shannon divergence of real against generated inputs.  (n, d), (m, d)

    Inputs are standardised by the training part; undefined ones become the mean. Errors: bootstrap
    over the test particles. Raises CaloforgeError where torch is not installed.
    """
    inputs = np.concatenate([real, generated]).astype(np.float32)
    label = np.arange(len(inputs)) >= len(real)
    particle = np.concatenate([particle_real, particle_generated])
    train, validation, test = _split(particle, seed)
    scores = train_and_score(
        standardised(inputs, train), label.astype(np.int64), train, validation, schooling, seed
    )
    odds = scores[:, 1] - scores[:, 0]
    chance = calibrated(odds[validation], label[validation], odds[test])
    names, slot = np.unique(particle[test], return_inverse=True)
    weights = resamplings(len(names), RESAMPLINGS, np.random.default_rng([seed, 0xC1A5]))
    weights = weights[:, slot.reshape(-1)]
    return Told(
        measured(np.array([auc(odds[test], label[test], w) for w in weights])),
        measured(np.array([divergence(chance, label[test], w) for w in weights])),
    )


def auc(scores: Values, label: Labels, weight: Values | None = None) -> float:
    """Probability that a labelled row scores higher than another one, ties half.  (N,)"""
    weight = np.ones(len(scores)) if weight is None else weight
    _, place = np.unique(scores, return_inverse=True)
    place = place.reshape(-1)
    size = int(place.max()) + 1
    positive = np.bincount(place[label], weight[label], size)
    negative = np.bincount(place[~label], weight[~label], size)
    below = np.cumsum(negative) - negative / 2
    total = positive.sum() * negative.sum()
    return float(positive @ below / total) if total > 0 else float("nan")


def divergence(probability: Values, label: Labels, weight: Values | None = None) -> float:
    """Jensen-Shannon divergence in bits: 1 - cross entropy / ln 2, equal classes.  (N,)"""
    weight = np.ones(len(label)) if weight is None else weight
    safe = np.clip(probability, 1e-7, 1 - 1e-7)
    entropy = 0.0
    for chosen, values in ((label, -np.log(safe)), (~label, -np.log(1 - safe))):
        mass = weight[chosen].sum()
        if mass <= 0:
            return float("nan")
        entropy += 0.5 * float(weight[chosen] @ values[chosen] / mass)
    return max(0.0, 1 - entropy / float(np.log(2)))


def calibrated(known: Values, label: Labels, odds: Values) -> Values:
    """Probabilities by an isotonic fit to validation rows, as in the CaloChallenge.  (n,)"""
    from scipy.optimize import isotonic_regression

    if label.all() or not label.any():
        return np.full(len(odds), 0.5)
    # Classes of unequal size would shift the probabilities away from the divergence's 0.5.
    share = np.where(label, 0.5 / label.mean(), 0.5 / (1 - label.mean()))
    # Rows of equal odds (all empty showers) get one probability: their order means nothing.
    values, place = np.unique(known, return_inverse=True)
    weight = np.bincount(place, weights=share)
    mean = np.bincount(place, weights=share * label) / weight
    chance: Values = np.interp(odds, values, isotonic_regression(mean, weights=weight).x)
    return chance


def standardised(inputs: NDArray[np.float32], train: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean 0 and deviation 1 on the training rows; undefined inputs become 0.  (N, d)"""
    mean = np.nanmean(inputs[train], axis=0)
    deviation = np.nanstd(inputs[train], axis=0)
    # Cells that hardly ever light would get huge values from a tiny deviation.
    least = 1e-2 * float(deviation.max(initial=0)) or 1.0
    scaled = np.nan_to_num((inputs - mean) / np.maximum(deviation, least))
    return np.asarray(scaled, dtype=np.float32)


def train_and_score(
    inputs: NDArray[np.float32],
    classes: NDArray[np.int64],
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    schooling: Schooling,
    seed: int,
) -> Values:
    """Logits of all rows by the network with the best validation loss.  (N, d) -> (N, classes)"""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise CaloforgeError(f"the classifier {NEEDS_TORCH}") from error
    chance = torch.Generator().manual_seed(seed)
    number = int(classes.max()) + 1
    network = _network(inputs.shape[1], schooling.widths, number, chance)
    table, target = torch.from_numpy(inputs), torch.from_numpy(classes)
    best = _fit(network, table, target, train, validation, schooling, chance)
    network.load_state_dict(best)
    with torch.no_grad():
        scores = [network(block) for block in torch.split(table, 8192)]
    return torch.cat(scores).numpy().astype(np.float64)


def _fit(
    network: nn.Module,
    table: Tensor,
    target: Tensor,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    schooling: Schooling,
    chance: Any,
) -> dict[str, Any]:
    """Train until the validation loss no longer falls; the best weights."""
    import torch
    from torch.nn.functional import cross_entropy

    optimiser = torch.optim.Adam(network.parameters(), lr=schooling.learning_rate)
    held, rows = torch.from_numpy(validation), torch.from_numpy(train)
    best, least, waited = {}, float("inf"), 0
    for _ in range(schooling.epochs):
        shuffled = rows[torch.randperm(len(rows), generator=chance)]
        for batch in torch.split(shuffled, schooling.batch):
            optimiser.zero_grad(set_to_none=True)
            cross_entropy(network(table[batch]), target[batch]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            loss = float(cross_entropy(network(table[held]), target[held]))
        waited = 0 if loss < least else waited + 1
        if loss < least:
            best = {name: weight.clone() for name, weight in network.state_dict().items()}
            least = loss
        if waited >= schooling.patience:
            break
    return best


def _network(inputs: int, widths: tuple[int, ...], classes: int, chance: Any) -> nn.Module:
    """Linear layers with leaky rectifiers, initialised from the generator."""
    from torch import nn

    sizes = [inputs, *widths]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.01)]
    layers.append(nn.Linear(sizes[-1], classes))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, generator=chance)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def _split(particle: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """Rows of training, validation and test particles."""
    names = np.unique(particle)
    if len(names) < 10:
        raise DataError("a classifier needs at least ten particles")
    names = np.random.default_rng([seed, 0x59117]).permutation(names)
    edges = (np.cumsum(PARTS[:2]) * len(names)).round().astype(int)
    return [np.flatnonzero(np.isin(particle, part)) for part in np.split(names, edges)]
