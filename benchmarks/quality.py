"""What the generators of a speed table reach once they are trained, from the records of studies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from caloforge.detector import Detector
from caloforge.networks.generators import GeneratorConfig
from validation.page import HERE
from validation.runner import read_records
from validation.summary import Group, groups, of_part, over_seeds

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


@dataclass(frozen=True)
class Headline:
    """The number that stands for the quality of a detector's showers."""

    name: str
    table: str
    title: str
    meaning: str

    def text(self, group: Group) -> str:
        """The number of runs that differ in their seed, with its error."""
        numbers = [one[self.table][self.name] for one in group.whole]
        if self.table == "two_sample":
            numbers = [number["value"] for number in numbers]
        method = group.records[0]["method"]
        return f"{self.title} {over_seeds(numbers)}, {method}"


CONDITIONAL_W1 = Headline(
    "conditional_w1", "test", "W1", "conditional W1 of channels on test particles, photons"
)
AUC = Headline("auc_both", "two_sample", "AUC", "of a classifier on test showers; 0.5 is best")


def headline_of(detector: Detector) -> Headline:
    """Conditional W1 needs several showers of a particle, which files of counts have."""
    return CONDITIONAL_W1 if detector.counts else AUC


def legend(detector: Detector) -> str:
    """What the column of quality holds."""
    headline = headline_of(detector)
    return f"{headline.title}: {headline.meaning}"


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
    return NOT_TRAINED if best is None else headline_of(detector).text(best)


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
