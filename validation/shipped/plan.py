"""How the simulators that ship are trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Training:
    """The training of one simulator, by the recipe that was best on validation particles."""

    sample: str
    """Real showers: name of a sample that ships; its further parts join the training rows."""
    steps: int
    settings: tuple[str, ...] = ()
    """What else is changed in the recipe."""
    recipe: str = "calibrated"
    start: str = ""
    """A shipped simulator that is trained further; nothing: from the beginning."""

    def command(self, out: Path) -> list[str]:
        """Arguments of ``caloforge`` that train it."""
        every = self.steps // 40
        changes = (
            f"training.steps={self.steps}",
            "training.average=0.999",
            f"training.validation_interval={every}",
            f"training.checkpoint_interval={every}",
            *self.settings,
        )
        detector = self.sample.partition("/")[0]
        command = ["train", self.recipe, "--detector", detector, "--threads", "1", "--seed", "0"]
        start = ["--from", self.start] if self.start else []
        return [*command, *joined("--set", changes), *self.data, *start, "--out", str(out)]

    @property
    def data(self) -> Sequence[str]:
        """Options for a sample that is not the detector's own."""
        return ["--data", self.sample] if "/" in self.sample else []


def joined(option: str, values: Sequence[str]) -> list[str]:
    """The option before each value."""
    return [word for value in values for word in (option, value)]


LATENTS = ("generator.latent=100",)
"""As many as DDML draws; the noise of 504 cells comes from them. e+, 1000 steps with an average of
0.995, one seed, ``evaluate --part validation``, network on cells and observables: AUC
0.879 +- 0.008 with 256 latents, 0.896 +- 0.008 with 64."""
SMALL = ("generator.options.width=64",)
"""A quarter of the trunk: for one shower at a time the weights that are read are the time."""
HADRONS = ("generator.options.response=empirical", "optimisers.generator.weight_decay=0.1")
"""A third of the pions pass without a shower: a law of the response with two peaks."""
TRAININGS = {
    "alice_zn": Training("alice_zn", 16000),
    "alice_zn/small": Training("alice_zn", 16000, SMALL),
    "alice_zp": Training("alice_zp", 16000),
    "atlas_em/eplus": Training("atlas_em", 9000, LATENTS),
    "atlas_em/gamma": Training("atlas_em/gamma", 3000, LATENTS, start="atlas_em/eplus"),
    "atlas_em/piplus": Training("atlas_em/piplus", 4000, (*LATENTS, *HADRONS)),
}
"""By the name of the simulator."""
