"""Processes that torchrun started: equal parameters, other particles, averaged gradients."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class DistributedContext:
    """This process among those of the run; alone, every method returns what it was given."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """True for the one process that writes files."""
        return self.rank == 0

    def average(self, network: nn.Module) -> None:
        """Average gradients, and running statistics of normalisation, over the processes."""
        if self.world == 1:
            return
        shared = [p.grad for p in network.parameters() if p.grad is not None]
        shared += [value for layer in network.modules() for value in _statistics(layer)]
        flat = torch.cat([value.reshape(-1) for value in shared])
        distributed.all_reduce(flat)
        flat /= self.world
        parts = torch.split(flat, [value.numel() for value in shared])
        for value, part in zip(shared, parts, strict=True):
            value.copy_(part.view_as(value))

    def any(self, flag: bool) -> bool:
        """True when it is true for one of the processes."""
        if self.world == 1:
            return flag
        shared = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(shared)
        return bool(shared > 0)

    def gather(self, value: Tensor) -> list[Tensor]:
        """The tensors of all processes, of one shape, by rank."""
        if self.world == 1:
            return [value]
        local = value.to(self.device)
        copies = [torch.empty_like(local) for _ in range(self.world)]
        distributed.all_gather(copies, local)
        return [one.to(value.device) for one in copies]

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            distributed.barrier()


def _statistics(layer: nn.Module) -> list[Tensor]:
    if not isinstance(layer, nn.modules.batchnorm._BatchNorm):
        return []
    return [value for value in (layer.running_mean, layer.running_var) if value is not None]


def is_leader() -> bool:
    """True in the one process that talks, torchrun or not."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def distributed_context(device: torch.device) -> Iterator[DistributedContext]:
    """This process among those that torchrun started (it sets WORLD_SIZE), or itself alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield DistributedContext(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield DistributedContext(device, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
