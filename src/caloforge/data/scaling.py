"""What the networks see of a particle: features of its conditions, standardised.

Shapes: N rows, C conditions, F features.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from caloforge.detector import Detector
from caloforge.detector.features import Feature
from caloforge.errors import DataError, UsageError

FeatureKind = Literal["features", "plain"]


def features(
    detector: Detector, kind: FeatureKind = "features", attributes: Iterable[str] | None = None
) -> tuple[Feature, ...]:
    """The detector's feature map, or every condition as it is (``plain``).

    ``attributes``: only what is computed of these conditions. Raises UsageError for one that the
    detector does not have, or where nothing is left.
    """
    plain = tuple(Feature(name=name, kind="value", of=(name,)) for name in detector.columns)
    whole = {"features": detector.features, "plain": plain}[kind]
    if attributes is None:
        return whole
    if unknown := set(attributes) - set(detector.columns):
        names = ", ".join(detector.columns)
        raise UsageError(
            f"generator.attributes: {detector.name} has no {min(unknown)}; it has {names}"
        )
    available = tuple(feature for feature in whole if set(feature.of) <= set(attributes))
    if not available:
        raise UsageError(
            f"generator.attributes: no feature of {detector.name} hangs on these alone"
        )
    return available


def evaluate_features(
    features: tuple[Feature, ...], columns: tuple[str, ...], conditions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Features of conditions in physical units.  (N, C) -> (N, F)

    Raises DataError naming the row where one is
    not finite (a logarithm of a number that is not positive, a slope to zero).
    """
    values = np.empty((len(conditions), len(features)))
    for number, feature in enumerate(features):
        arguments = [conditions[:, columns.index(name)] for name in feature.of]
        with np.errstate(all="ignore"):
            values[:, number] = feature.value(np, *arguments)
        if len(bad := np.flatnonzero(~np.isfinite(values[:, number]))):
            text = ", ".join(
                f"{name} = {conditions[bad[0], columns.index(name)]:g}" for name in feature.of
            )
            raise DataError(f"row {bad[0]}: {feature.name} is undefined for {text}")
    return values


class FeatureScaling(BaseModel):
    """Mean and standard deviation of features; it exists only fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[Feature, ...]
    columns: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> "FeatureScaling":
        if not len(self.features) == len(self.mean) == len(self.std):
            raise ValueError("features, mean and std differ in number")
        if not np.isfinite([*self.mean, *self.std]).all() or min(self.std, default=1.0) <= 0:
            raise ValueError("mean and std must be finite, std positive")
        return self

    @classmethod
    def fit(
        cls,
        detector: Detector,
        conditions: NDArray[np.float64],
        kind: FeatureKind = "features",
        attributes: Iterable[str] | None = None,
    ) -> "FeatureScaling":
        """Fit to the conditions of training particles only, in physical units (N, C).

        A feature that does not vary gets a standard deviation of 1: it is shifted to 0.
        """
        if not len(conditions):
            raise DataError("a scaling cannot be fitted to no rows")
        selection = features(detector, kind, attributes)
        values = evaluate_features(selection, detector.columns, conditions)
        mean, std = values.mean(axis=0), values.std(axis=0)
        # Rounding in the mean leaves a constant column with a tiny spread instead of none.
        constant = np.ptp(values, axis=0) == 0
        return cls(
            features=selection,
            columns=detector.columns,
            mean=tuple(mean.tolist()),
            std=tuple(np.where(constant, 1.0, std).tolist()),
        )

    def encode(self, conditions: NDArray[np.float64]) -> NDArray[np.float32]:
        """Standardised features of conditions in physical units.  (N, C) -> (N, F)"""
        if conditions.shape[1] != len(self.columns):
            raise DataError(f"{conditions.shape[1]} conditions, expected {len(self.columns)}")
        values = evaluate_features(self.features, self.columns, conditions)
        standardised = (values - np.array(self.mean)) / np.array(self.std)
        return np.asarray(standardised, dtype=np.float32)
