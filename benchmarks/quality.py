"""What the generators of a speed table reach once they are trained, from the records of studies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from caloforge.detector import Detector
from caloforge.networks.generators import GeneratorConfig
from validation.metrics import REAL, Measured
from validation.page import HERE
from validation.runner import read_records, read_references
from validation.summary import Group, groups, of_part, over_seeds

Runs = Iterable[Mapping[str, Any]]
NOT_TRAINED = "not trained"
STUDIES = {
    "alice_zn": ("zn", "cost", "gpu"),
    "alice_zp": ("proton", "gpu"),
    "atlas_em": ("calogan", "gpu"),
}
"""By the detector, the studies that train generators for it."""
PARTS = ("final", "cpu", "cuda")
"""Their runs of full length, or of as many steps as the device allows."""
NETWORK = ("kind", "options", "attention", "blur")
"""Settings of a generator that its speed depends on."""


class ConditionalW1:
    """Of files of counts, which have several showers of a particle."""

    title = "W1"
    meaning = "conditional W1 of channels on test particles, photons"

    def of(self, runs: Runs) -> Measured:
        """Mean over runs that differ in their seed."""
        return over_seeds([one["test"]["conditional_w1"] for one in runs])

    def floor(self, detector: Detector) -> Measured:
        """Between two sets of real showers."""
        references = read_references(HERE / STUDIES[detector.name][0])["references"]
        return Measured(**references[REAL]["test"]["conditional_w1"])


class Auc:
    """Of files of deposits."""

    title = "AUC"
    meaning = "of a network that separates real and generated test showers"

    def of(self, runs: Runs) -> Measured:
        """Mean over runs that differ in their seed."""
        return over_seeds([one["two_sample"]["auc_both"]["value"] for one in runs])

    def floor(self, detector: Detector) -> Measured:
        """Between two sets of real showers."""
        return over_seeds([one["two_sample"]["auc_both"]["floor"] for one in trained(detector)])


def measure_of(detector: Detector) -> ConditionalW1 | Auc:
    """The number that stands for the quality of a detector's showers."""
    return ConditionalW1() if detector.counts else Auc()


def legend(detector: Detector) -> str:
    """What the column of quality holds, and its noise floor."""
    measure = measure_of(detector)
    return f"{measure.title}: {measure.meaning}; real against real {measure.floor(detector)}"


def quality_of(
    detector: Detector, config: GeneratorConfig, methods: Collection[str] | None = None
) -> str:
    """What the method with the best validation score reaches with that network on test particles.

    ``methods``: those to choose from, by default all.
    """
    runs = [
        one
        for one in trained(detector)
        if _same_network(one["recipe"]["generator"], config)
        and (methods is None or one["method"] in methods)
    ]
    best = min(groups(runs), key=_validation_score, default=None)
    if best is None:
        return NOT_TRAINED
    measure = measure_of(detector)
    return f"{measure.title} {measure.of(best.whole)}, {best.records[0]['method']}"


def trained(detector: Detector) -> list[Mapping[str, Any]]:
    """Evaluated runs of a detector in the studies that train it."""
    return [
        one
        for study in STUDIES[detector.name]
        for one in of_part(read_records(HERE / study), *PARTS)
        if "test" in one and one["recipe"]["detector"] == detector.name
    ]


def _same_network(record: Mapping[str, Any], config: GeneratorConfig) -> bool:
    settings = config.model_dump(mode="json")  # as a record: without options where there are none
    return all(record.get(name) == settings.get(name) for name in NETWORK)


def _validation_score(group: Group) -> float:
    score = group.score().value
    return float("inf") if score is None else score


__all__ = ["NOT_TRAINED", "legend", "quality_of"]
