"""Rules of the game that a GanStep keeps: who is trained, dropout, running statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

from caloforge.errors import CaloforgeError

Player = Literal["generator", "critic", "helper"]
PLAYERS: tuple[Player, ...] = ("critic", "helper", "generator")
"""In the order in which they play a step."""


class NonFinite(CaloforgeError):  # noqa: N818 - reads as what happened
    """A term, a shower or a gradient became NaN or infinite; training stops, nothing is hidden."""


def belongs_to(network: str, player: Player) -> bool:
    """True where the player trains the network; helper networks carry the name of their term."""
    return network == player or (player == "helper" and network not in ("generator", "critic"))


@contextmanager
def same_dropout(network: nn.Module, seed: int, device: torch.device) -> Iterator[None]:
    """Random state of dropout fixed inside, untouched outside; free for a network without it."""
    if not any(isinstance(m, nn.modules.dropout._DropoutNd) for m in network.modules()):
        yield
        return
    others = [device] if device.type != "cpu" else []
    with torch.random.fork_rng(devices=others, device_type=device.type):
        torch.manual_seed(seed)
        yield


@contextmanager
def running_statistics(network: nn.Module, *, update: bool) -> Iterator[None]:
    """Batch normalisation updates its running statistics inside only if asked to."""
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    silent = [layer for layer in layers if layer.track_running_stats and not update]
    for layer in silent:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in silent:
            layer.track_running_stats = True


@contextmanager
def training_only(networks: Mapping[str, nn.Module], player: Player) -> Iterator[None]:
    """Only the named player's parameters take gradients inside."""
    opponents = [network for name, network in networks.items() if not belongs_to(name, player)]
    for network in opponents:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in opponents:
            network.requires_grad_(True)
