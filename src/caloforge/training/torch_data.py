"""Showers for torch: a data set of (cells, conditions, particle), and a loader of batches.

Shapes: N showers, K cells, C conditions, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from caloforge.data.showers import Showers


class ShowerBatch(NamedTuple):
    """Some showers, in physical units."""

    cells: Tensor
    """float32, in the unit of the detector.  (B, K)"""
    conditions: Tensor
    """float32, in the columns and units of the detector.  (B, C)"""
    particle: Tensor
    """int64; equal numbers are repeats of one particle.  (B,)"""


class ShowerDataset(Dataset[ShowerBatch]):
    """Showers as a map-style data set; an item has no leading axis.

    Example:
        >>> from caloforge import read
        >>> from caloforge.data.samples import sample_path
        >>> data = ShowerDataset(read(sample_path("alice_zn")))
        >>> data[0].cells.shape, data[0].conditions.shape
        (torch.Size([1936]), torch.Size([9]))
    """

    def __init__(self, showers: Showers) -> None:
        self.showers = showers

    def __len__(self) -> int:
        return len(self.showers)

    def __getitem__(self, index: int) -> ShowerBatch:
        return ShowerBatch(*(part[0] for part in self.__getitems__([index])))

    def __getitems__(self, indices: Sequence[int]) -> ShowerBatch:
        """Some rows at once.  (B, K), (B, C), (B,)"""
        rows = np.asarray(indices)
        showers = self.showers
        return ShowerBatch(
            torch.from_numpy(showers.cells[rows].astype(np.float32)),
            torch.from_numpy(showers.conditions[rows].astype(np.float32)),
            torch.from_numpy(showers.particle[rows]),
        )


def shower_loader(
    showers: Showers,
    batch_size: int = 128,
    *,
    shuffle: bool = True,
    seed: int = 0,
    drop_last: bool = False,
) -> DataLoader[ShowerBatch]:
    """Batches of showers in an order that the seed decides.

    Example:
        >>> from caloforge import read
        >>> from caloforge.data.samples import sample_path
        >>> batches = iter(shower_loader(read(sample_path("alice_zn")), 64))
        >>> next(batches).cells.shape
        torch.Size([64, 1936])
    """
    return DataLoader(
        ShowerDataset(showers),
        batch_size=batch_size,
        shuffle=shuffle,
        drop_last=drop_last,
        collate_fn=lambda batch: batch,
        generator=torch.Generator().manual_seed(seed),
    )


__all__ = ["ShowerBatch", "ShowerDataset", "shower_loader"]
