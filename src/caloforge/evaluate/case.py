"""What is judged against what: files, a run or a simulator become real and generated showers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from caloforge.data.showers import Showers, read
from caloforge.data.split import LEAKY, RowSplit, Split, split_by_particle, split_by_row
from caloforge.errors import DataError, UsageError
from caloforge.evaluate.examination import examine
from caloforge.evaluate.floors import NOTHING_KEPT, Floors
from caloforge.evaluate.gate import DEFAULT
from caloforge.evaluate.judge import judge
from caloforge.evaluate.judgement import Judgement
from caloforge.evaluate.matching import matched
from caloforge.evaluate.traversal import Traversal, traverse
from caloforge.io.files import sha256_of
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator import Simulator
from caloforge.simulator.shipped import find_simulator

Part = Literal["test", "validation", "train", "all"]


class SplitRecord(BaseModel):
    """How a run divided its showers: the ``data`` part of its recipe."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    validation: float
    test: float
    split: Literal["particle", "row"] = "particle"
    split_seed: int = 0


@dataclass(frozen=True)
class Case:
    """Real and generated showers of the same particles, and what baselines draw from."""

    real: Showers
    generated: Showers
    train: Showers | None
    about: Mapping[str, str]
    """What was judged, for the report."""
    warnings: tuple[str, ...] = ()
    simulator: Simulator | None = None
    """What made the generated showers, where it can be asked for more."""

    def traversals(self, seed: int = 0) -> tuple[Traversal, ...]:
        """Each attribute moved at fixed latents; nothing without a simulator."""
        if self.simulator is None:
            return ()
        simulator, rng = self.simulator, np.random.default_rng([seed, 0x7A])
        ranges = simulator.card.training_ranges
        size = simulator.latent_size
        return traverse(simulator.expected, size, simulator.detector, ranges, rng=rng)

    def judge(
        self,
        *,
        scheme: str | None = None,
        seed: int = 0,
        gate: str = DEFAULT,
        classifier: str = "default",
        floors: Floors = NOTHING_KEPT,
    ) -> Judgement:
        """The judgement of this case, with all that an examination adds."""
        judgement = judge(
            self.real, self.generated, self.train, scheme=scheme, seed=seed, floors=floors
        )
        judgement = examine(
            judgement,
            self.real,
            self.generated,
            self.train,
            gate=gate,
            classifier=classifier,
            floors=floors,
        )
        return dataclasses.replace(
            judgement,
            warnings=(*self.warnings, *judgement.warnings),
            provenance={**self.about, **judgement.provenance},
        )


def assemble(
    subject: str,
    against: Path,
    *,
    train: Path | None = None,
    part: Part | None = None,
    seed: int = 0,
    reporter: Reporter = SILENT,
) -> Case:
    """Read what is needed; a simulator is asked for one shower a row of the judged particles.

    ``subject`` is a run folder, a simulator (folder or name) or a file of generated showers. A
    simulator that was trained on ``against`` is judged on its test particles unless ``part`` says
    otherwise, and its training particles feed the baselines. Raises UsageError for a subject that
    is none, DataError for showers that do not fit.
    """
    if Path(subject).is_file():
        return _of_file(Path(subject), against, train)
    if not Path(subject).exists() and len(Path(subject).parts) > 1:
        raise UsageError(f"{subject}: no such file, run or simulator")
    folder = find_simulator(subject)
    simulator = Simulator.load(folder)
    simulator.check()
    showers = read(against, simulator.detector)
    divided = _divided(simulator, showers, against, part)
    chosen: Part = part or ("all" if divided is None else "test")
    real, training = _parts(showers, divided, chosen)
    reporter.say(f"{subject}: one shower for each of {len(real)} rows ({chosen} particles)")
    cells = simulator.generate(real.conditions, seed=seed)
    return Case(
        real=real,
        generated=dataclasses.replace(real, cells=cells, cpu_seconds=None, overflow=None),
        train=training if train is None else read(train, simulator.detector),
        about={"judged": subject, "against": f"{against} ({chosen} particles)", "seed": str(seed)},
        warnings=(LEAKY,) if isinstance(divided, RowSplit) else (),
        simulator=simulator,
    )


def _of_file(generated: Path, against: Path, train: Path | None) -> Case:
    real = read(against)
    real, made, warnings = matched(real, read(generated, real.detector))
    return Case(
        real=real,
        generated=made,
        train=None if train is None else read(train, real.detector),
        about={"judged": str(generated), "against": str(against)},
        warnings=warnings,
    )


def _divided(
    simulator: Simulator, showers: Showers, against: Path, part: Part | None
) -> Split | RowSplit | None:
    """How the run behind a simulator divided these showers; None where it never saw them."""
    recipe = simulator.card.recipe
    known = recipe.get("run", {}).get("data", {}).get("sha256")
    if "data" not in recipe:
        if part in (None, "all"):
            return None
        raise DataError(f"{simulator.folder} does not tell its split: only --part all is possible")
    if part is None and known is not None and known != sha256_of(against):
        return None
    try:
        record = SplitRecord.model_validate(recipe["data"])
    except ValidationError as error:
        raise DataError(f"{simulator.folder}: its recipe holds no split ({error.title})") from error
    fractions = (1 - record.validation - record.test, record.validation, record.test)
    if record.split == "row":
        return split_by_row(len(showers), fractions, seed=record.split_seed)
    return split_by_particle(showers.particle, fractions, seed=record.split_seed)


def _parts(
    showers: Showers, divided: Split | RowSplit | None, part: Part
) -> tuple[Showers, Showers | None]:
    """The judged part, and the training part if there is another one."""
    if divided is None:
        return showers, None
    take = _of_rows if isinstance(divided, RowSplit) else _of_particles
    numbers = {"test": divided.test, "validation": divided.validation, "train": divided.train}
    real = showers if part == "all" else take(showers, numbers[part])
    return real, take(showers, divided.train)


def _of_rows(showers: Showers, rows: NDArray[np.int64]) -> Showers:
    return showers.rows(np.sort(rows))


def _of_particles(showers: Showers, particles: NDArray[np.int64]) -> Showers:
    return showers.of_particles(particles)
