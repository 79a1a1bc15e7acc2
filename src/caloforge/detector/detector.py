"""One description of a detector, read by data, networks, objectives, evaluation, plots and export.

Shapes: N showers, K cells (all layers, flat, in the order of ``layers``), C conditions.
A cell of a layer of shape (nx, ny) is [x][y]: its flat number is ``x * ny + y``.

One layer of a detector: its cells and where they are.

Shapes: a layer of shape (nx, ny); the cell [x][y] has the flat number ``x * ny + y``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from caloforge.detector.features import Description, Dispersion, Feature
from caloforge.detector.readout import Channels
from caloforge.errors import DataError, UsageError

LARGEST_CELLS, LARGEST_MM = 2**20, 1e6
"""More than any detector has; descriptions from files are held to it."""


class Layer(Description):
    """A plane of cells: axis 0 along x and axis 1 along y, or axis 0 alpha and axis 1 r.

    In rings, sectors count from alpha = -pi and x = r cos(alpha), y = r sin(alpha); a whole ring,
    which is one cell, is in the middle.
    """

    name: str
    shape: tuple[int, int]
    cell_mm: tuple[float, float]
    """Of rings, mean arc and mean width."""
    depth_mm: float | None = None
    ring_edges_mm: tuple[float, ...] | None = None
    """Radii between rings, one more than there are rings; None for a plane of x and y."""

    @model_validator(mode="after")
    def _rings_are_all_there(self) -> Layer:
        edges = self.ring_edges_mm
        if edges is not None and (
            len(edges) != self.shape[1] + 1
            or not np.isfinite(edges).all()
            or edges[0] < 0
            or (np.diff(edges) <= 0).any()
        ):
            raise ValueError(f"layer {self.name}: edges of {self.shape[1]} rings must rise from 0")
        return self

    @model_validator(mode="after")
    def _has_cells(self) -> Layer:
        if min(self.shape) < 1:
            raise ValueError(f"layer {self.name} has the shape {self.shape}")
        if not all(0 < size <= LARGEST_MM for size in self.cell_mm):
            raise ValueError(f"cells of {self.name} are {self.cell_mm} mm")
        if self.depth_mm is not None and not 0 < self.depth_mm <= LARGEST_MM:
            raise ValueError(f"layer {self.name} is {self.depth_mm} mm deep")
        return self

    @property
    def cells(self) -> int:
        """Number of cells of this layer."""
        return self.shape[0] * self.shape[1]

    def centres_mm(self, axis: int) -> NDArray[np.float64]:
        """Cell centres along an axis, in mm from the middle of the layer.  (n,)"""
        n = self.shape[axis]
        steps = np.arange(n, dtype=np.float64) - (n - 1) / 2
        return steps * self.cell_mm[axis]

    def places_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """X and y of each cell, from the middle of the layer, in mm.  2 x (nx, ny)"""
        if self.ring_edges_mm is None:
            x, y = np.meshgrid(self.centres_mm(0), self.centres_mm(1), indexing="ij")
            return x, y
        edges = np.asarray(self.ring_edges_mm)
        sectors = (np.arange(self.shape[0]) + 0.5) * (2 * np.pi / self.shape[0]) - np.pi
        alpha, r = np.meshgrid(sectors, (edges[1:] + edges[:-1]) / 2, indexing="ij")
        if len(sectors) == 1:
            return 0 * r, 0 * r
        return r * np.cos(alpha), r * np.sin(alpha)

    @property
    def axes(self) -> tuple[str, str]:
        """What runs along axis 0 and axis 1 of an image, with its unit."""
        return ("x [mm]", "y [mm]") if self.ring_edges_mm is None else ("sector", "ring")

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Edges of an image along axis 0 and axis 1: in mm, or numbers of sectors and rings."""
        if self.ring_edges_mm is not None:
            return (0.0, float(self.shape[0]), 0.0, float(self.shape[1]))
        x, y = (n * size / 2 for n, size in zip(self.shape, self.cell_mm, strict=True))
        return (-x, x, -y, y)

    @property
    def contract(self) -> list[object]:
        """What files must agree on."""
        rings = [] if self.ring_edges_mm is None else [self.ring_edges_mm]
        return [self.name, self.shape, self.cell_mm, *rings]


Axis = Literal["x", "y"]


class Condition(Description):
    """One number that is known of a particle before it showers."""

    name: str
    unit: str
    meaning: str = ""
    vector: str | None = None
    """The vector that this number is a component of; x and y components swap when axes do."""
    axis: Axis | None = None
    """The axis along which it points; a flip of that axis mirrors it."""
    mirror_at: float = 0.0
    """Where it is mirrored: 0 for a signed component, pi / 2 for an angle to the y axis."""


class Symmetry(Description):
    """A change of the image and of the conditions that leaves the physics alone."""

    flip_x: bool = False
    flip_y: bool = False
    transpose: bool = False

    @property
    def name(self) -> str:
        """Readable name, ``identity`` or for example ``flip_x+transpose``."""
        parts = [part for part in ("flip_x", "flip_y", "transpose") if getattr(self, part)]
        return "+".join(parts) or "identity"


class Detector(Description):
    """Layers, conditions, channels, features and symmetries of one detector.

    Example:
        >>> from caloforge import detector_of_name
        >>> em = detector_of_name("atlas_em")
        >>> em.columns
        ('E', 'theta', 'phi', 'x0', 'y0')
        >>> [layer.shape for layer in em.layers], em.cells
        ([(3, 96), (12, 12), (12, 6)], 504)
    """

    name: str
    title: str
    quantity: str
    unit: str
    counts: bool
    """True where a cell holds a whole number of quanta (written as uint16)."""
    signed: bool = False
    """True where a cell may be negative (coordinates of the 2-D benchmark)."""
    quantum: float = Field(default=1.0, gt=0)
    """Cell value, in ``unit``, that networks take as one: encode(x) = ln(1 + x / quantum)."""
    layers: tuple[Layer, ...]
    conditions: tuple[Condition, ...]
    features: tuple[Feature, ...]
    channels: tuple[Channels, ...]
    """Read-out schemes; the first one is the default."""
    symmetries: tuple[Symmetry, ...] = (Symmetry(),)
    energy: str | None = None
    """The condition that the sum of all cells is to be compared with, in the unit of the cells."""
    sampling_fraction: float = Field(default=1.0, gt=0)
    """Part of the deposited energy that cells hold: 1 where absorbers are read out, too."""
    distance_cm: float | None = None
    """From the interaction point to the front face, where particles fly straight."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Detector:
        names = set(self.columns)
        for feature in self.features:
            if missing := set(feature.of) - names:
                raise ValueError(f"feature {feature.name} uses unknown conditions {missing}")
        if self.energy is not None and self.energy not in names:
            raise ValueError(f"energy is {self.energy}, which is no condition")
        if not self.channels:
            raise ValueError("channels is empty: a detector has at least one read-out scheme")
        for scheme in self.channels:
            if len(scheme.of_cell) != self.cells:
                raise ValueError(f"scheme {scheme.scheme} describes {len(scheme.of_cell)} cells")
        if any(symmetry.transpose for symmetry in self.symmetries):
            self._require_pairs()
        return self

    def _require_pairs(self) -> None:
        """An exchange of x and y needs both components of each vector."""
        axes = {(c.vector, c.axis) for c in self.conditions if c.vector and c.axis is not None}
        for vector, axis in sorted(axes):
            other = "y" if axis == "x" else "x"
            if (vector, other) not in axes:
                raise ValueError(
                    f"a symmetry exchanges x and y, but vector {vector} has no {other} component"
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the conditions, in the order of their columns."""
        return tuple(condition.name for condition in self.conditions)

    @property
    def cells(self) -> int:
        """Number of cells K of all layers."""
        return sum(layer.cells for layer in self.layers)

    @property
    def schemes(self) -> tuple[str, ...]:
        """Names of the read-out schemes, the default first."""
        return tuple(channels.scheme for channels in self.channels)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what a file must agree on: cells, columns and units; new schemes keep it."""
        contract = {
            "name": self.name,
            "unit": self.unit,
            "layers": [layer.contract for layer in self.layers],
            "conditions": [[condition.name, condition.unit] for condition in self.conditions],
        }
        return hashlib.sha256(json.dumps(contract, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def dispersion(self) -> Dispersion | None:
        """How magnets before it bend charged particles, as its features know it."""
        return next((f.dispersion for f in self.features if f.dispersion is not None), None)

    def column(self, name: str) -> int:
        """Column number of a condition."""
        if name not in self.columns:
            raise UsageError(f"{self.name} has no condition {name}; it has {list(self.columns)}")
        return self.columns.index(name)

    def scheme(self, name: str | None = None) -> Channels:
        """Read-out scheme of that name, or the default one.

        Raises UsageError with the names that exist.
        """
        for channels in self.channels:
            if name in (None, channels.scheme):
                return channels
        raise UsageError(f"{self.name} has no scheme {name}; it has {list(self.schemes)}")

    def offsets(self) -> list[int]:
        """First flat cell of each layer, and K.  (layers + 1)"""
        return [0, *np.cumsum([layer.cells for layer in self.layers]).tolist()]

    def split(self, showers: Any) -> dict[str, Any]:
        """Images of the layers, for numpy arrays and torch tensors.  (N, K) -> {layer: (N, nx, ny)}

        Raises DataError when the number of cells is another one.
        """
        if showers.shape[-1] != self.cells:
            raise DataError(f"{self.name} has {self.cells} cells, not {showers.shape[-1]}")
        starts = self.offsets()
        return {
            layer.name: showers[..., start : start + layer.cells].reshape(-1, *layer.shape)
            for layer, start in zip(self.layers, starts, strict=False)
        }

    def join(self, images: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Flat showers from the images of the layers, the inverse of ``split``.  (N, K)"""
        flat = []
        for layer in self.layers:
            image = images[layer.name]
            if image.shape[1:] != layer.shape:
                raise DataError(f"{self.name}/{layer.name} is {layer.shape}, not {image.shape[1:]}")
            flat.append(image.reshape(len(image), -1))
        return np.concatenate(flat, axis=1)

    def read_out(self, showers: NDArray[Any], scheme: str | None = None) -> NDArray[np.float64]:
        """Channel sums in the detector's unit, by the named scheme.  (N, K) -> (N, channels)

        Args:
            showers: flat showers, (N, K).
            scheme: name of a read-out scheme; default: the first of ``schemes``.

        Raises:
            UsageError: for an unknown scheme, with the names that exist.

        Example:
            >>> from caloforge import detector_of_name
            >>> zn = detector_of_name("alice_zn")
            >>> zn.read_out(np.ones((1, zn.cells)), "o2")
            array([[242., 242., 242., 242., 968.]])
        """
        sums = showers.astype(np.float32, copy=False) @ self.scheme(scheme).matrix
        return sums.astype(np.float64)

    def cell_order(self, symmetry: Symmetry) -> NDArray[np.int64]:
        """Where each cell of the transformed shower comes from: ``new = old[:, order]``.  (K,)

        Raises UsageError when a transposition meets a layer that is not square.
        """
        orders = []
        for layer, start in zip(self.layers, self.offsets(), strict=False):
            index = start + np.arange(layer.cells).reshape(layer.shape)
            index = index[::-1] if symmetry.flip_x else index
            index = index[:, ::-1] if symmetry.flip_y else index
            if symmetry.transpose and layer.shape[0] != layer.shape[1]:
                raise UsageError(f"{self.name}/{layer.name} is not square: no transposition")
            orders.append((index.T if symmetry.transpose else index).ravel())
        return np.concatenate(orders)

    def transform_conditions(
        self, conditions: NDArray[np.float64], symmetry: Symmetry
    ) -> NDArray[np.float64]:
        """Conditions of the transformed shower (flips first, then the swap).  (N, C)"""
        flipped = {"x": symmetry.flip_x, "y": symmetry.flip_y, None: False}
        mirrored = conditions.copy()
        for number, condition in enumerate(self.conditions):
            if flipped[condition.axis]:
                mirrored[:, number] = 2 * condition.mirror_at - mirrored[:, number]
        return mirrored[:, self._column_order(symmetry.transpose)]

    def _column_order(self, transpose: bool) -> list[int]:
        """Columns after an exchange of x and y."""
        order = list(range(len(self.conditions)))
        if not transpose:
            return order
        place = {(c.vector, c.axis): number for number, c in enumerate(self.conditions) if c.vector}
        for (vector, axis), number in place.items():
            if axis is not None:
                order[number] = place[(vector, "y" if axis == "x" else "x")]
        return order
