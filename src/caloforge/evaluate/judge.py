"""Judge generated showers against real ones, next to a floor and to what needs no network.

Shapes: N real rows, M generated rows, P particles on both sides, B resamplings.

Every candidate meets the same random halves of the real showers and the same resamplings of the
particles, hence differences between candidates have paired errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.evaluate import repeats
from caloforge.evaluate.baselines import BASELINES, as_showers
from caloforge.evaluate.court import Court, Replicates, convene
from caloforge.evaluate.floors import NOTHING_KEPT, Floors
from caloforge.evaluate.judgement import (
    CANDIDATE_TITLES,
    MODEL,
    REAL,
    Candidate,
    Difference,
    Judgement,
)
from caloforge.evaluate.measure import Row
from caloforge.evaluate.measured import Measured, measured
from caloforge.evaluate.measures import measures, rows_of
from caloforge.evaluate.observables import observe
from caloforge.evaluate.repeats import Rows

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

RESAMPLINGS = 300
FEW_PARTICLES = 20
SUSPICIOUS_SIGMA = 3.0
OTHER_UNIT = 50.0


def judge(
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    *,
    scheme: str | None = None,
    seed: int = 0,
    resamples: int = RESAMPLINGS,
    floors: Floors = NOTHING_KEPT,
) -> Judgement:
    """All measures of generated showers, with floors, errors, baselines and differences.

    ``generated`` holds showers of the particles of ``real``, by number and conditions; ``train`` is
    what baselines draw from. Raises DataError for showers without common particles.
    """
    real, generated, warnings = _comparable(real, generated, train)
    names, slot, other = repeats.shared_slots(real.particle, generated.particle)
    numbers = repeats.equal_numbers(slot, other, len(names))
    chance, random = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    table = measures(real.detector, channels := real.detector.scheme(scheme))
    court = convene(observe(real, scheme), slot, numbers, table, resamples, chance)
    heard = {MODEL: court.hear(observe(generated, scheme), other, random)}
    heard[REAL] = _floor(court, real, numbers, (channels.scheme, seed, resamples), floors)
    heard |= dict(_baselines(court, real, train, scheme, seed))
    return Judgement(
        detector=real.detector.name,
        unit=real.detector.unit,
        scheme=channels.scheme,
        particles=len(names),
        rows=len(real.cells),
        generated_rows=len(generated.cells),
        numbers=repeats.describe(numbers, len(names)),
        seed=seed,
        resamplings=resamples,
        rows_of_table=rows_of(table),
        candidates=tuple(_candidate(name, found, court) for name, found in heard.items()),
        differences=tuple(_differences(heard, rows_of(table))),
        warnings=(*warnings, *_remarks(court, numbers, heard)),
        provenance=dict(real.provenance),
    )


def _floor(
    court: Court, real: Showers, numbers: Rows, settings: tuple[str, int, int], floors: Floors
) -> Replicates:
    """Real against real, remembered where a folder is given."""

    def make() -> dict[str, list[float | None]]:
        return {
            name: [float(x) if np.isfinite(x) else None for x in values]
            for name, values in court.hear_real().items()
        }

    arrays = (real.cells, real.conditions, real.particle, numbers)
    about = ("table", real.detector.fingerprint, *settings, *(r.name for r in court.rows))
    found = floors.remembered(arrays, about, make)
    return {name: np.array(values, dtype=np.float64) for name, values in found.items()}


def _comparable(
    real: Showers, generated: Showers, train: Showers | None
) -> tuple[Showers, Showers, list[str]]:
    """Both samples cut to the particles that they share, and what was left out."""
    for showers in (generated, *([train] if train is not None else [])):
        if showers.detector.fingerprint != real.detector.fingerprint:
            raise DataError(f"{showers.detector.name} showers against {real.detector.name} showers")
    names, slot, generated_slot = repeats.shared_slots(real.particle, generated.particle)
    if not len(names):
        raise DataError("real and generated showers share no particle; generate with --like")
    repeats.require_same_conditions(real.conditions, generated.conditions, slot, generated_slot)
    warnings = [
        f"{(part < 0).sum()} {word} rows are left out: their particles are not on the other side"
        for part, word in ((slot, "real"), (generated_slot, "generated"))
        if (part < 0).any()
    ]
    if train is not None and _overlap(real, train):
        warnings.append("training showers include judged particles: the baselines see the test")
    real, generated = (
        _rows(showers, part >= 0) for showers, part in ((real, slot), (generated, generated_slot))
    )
    return real, generated, warnings


def _rows(showers: Showers, kept: NDArray[np.bool_]) -> Showers:
    return showers if kept.all() else showers.rows(np.flatnonzero(kept))


def _overlap(real: Showers, train: Showers) -> bool:
    """Whether a judged particle was trained on, by its conditions."""
    known = {row.tobytes() for row in np.unique(train.conditions, axis=0)}
    return any(row.tobytes() in known for row in np.unique(real.conditions, axis=0))


def _baselines(
    court: Court, real: Showers, train: Showers | None, scheme: str | None, seed: int
) -> Iterator[tuple[str, Replicates]]:
    """Baselines one after the other, so that only one is in memory."""
    for number, baseline in enumerate(BASELINES):
        if (baseline.needs_training and train is None) or court.particles < 2:
            continue
        rng = np.random.default_rng([seed, number])
        showers = as_showers(real, baseline.of(real, real if train is None else train, rng))
        yield baseline.name, court.hear(observe(showers, scheme), court.slot, rng)


def _candidate(name: str, found: Replicates, court: Court) -> Candidate:
    titles = CANDIDATE_TITLES | {baseline.name: baseline.title for baseline in BASELINES}
    results: dict[str, Measured] = {}
    for measure in court.measures:
        note = "undefined"
        if measure.per_particle and not court.repeated:
            note = "no repeats"
        if name == REAL and not measure.halvings:
            # There is no second set of real showers as large as the first.
            note = "-"
        results |= {row.name: measured(found[row.name], note) for row in measure.rows}
    return Candidate(name, titles[name], results)


def _differences(heard: dict[str, Replicates], rows: tuple[Row, ...]) -> Iterator[Difference]:
    """Baselines minus the model, and the model minus the floor (its excess), of all distances."""
    model = heard[MODEL]
    for row in rows:
        if not row.distance:
            continue
        for name, found in heard.items():
            pair = (MODEL, name) if name == REAL else (name, MODEL)
            sign = -1 if name == REAL else 1
            if name != MODEL and np.isfinite(found[row.name][0] - model[row.name][0]):
                yield Difference(
                    row.name, *pair, measured(sign * (found[row.name] - model[row.name]))
                )


def _remarks(court: Court, numbers: Rows, heard: dict[str, Replicates]) -> Iterator[str]:
    """What a reader should know before trusting the numbers."""
    if not numbers.any():
        yield "no particle has repeats: conditional figures, floors and diversity are undefined"
    if len(numbers) < FEW_PARTICLES:
        yield f"only {len(numbers)} particles: the errors themselves are rough"
    if numbers.any() and not (numbers > 0).all():
        yield f"{(numbers == 0).sum()} of {len(numbers)} particles have no repeats: left out there"
    excess = measured(heard[MODEL]["conditional_w1"] - heard[REAL]["conditional_w1"]).sigma
    if excess is not None and excess < -SUSPICIOUS_SIGMA:
        yield "closer to the real showers than other real ones are: are these copies of them?"
    ratio = heard[MODEL]["mean_total"][0]
    if np.isfinite(ratio) and not 1 / OTHER_UNIT < ratio < OTHER_UNIT:
        yield f"generated totals are {ratio:.3g} times the real ones: another unit?"
    for name, values in court.real.values.items():
        known = values[np.isfinite(values)]
        if name != "empty" and len(known) > 1 and np.ptp(known) == 0:
            yield f"{name} is the same for all real showers: its distances say little"
    if court.real.values["empty"].all():
        yield "all real showers are empty: shapes and ratios are undefined"
