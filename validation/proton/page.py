"""README.md of the proton calorimeter and its pictures, from the records alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import numpy as np

from caloforge.report.pictures import save
from validation.metrics import NEAREST, REAL, Measured, of_replicates, resampled_mean
from validation.page import (
    TRAINING_TITLES,
    WEIGHT_TITLES,
    edges,
    finals,
    nearness,
    progress,
    provenance,
    reference_rows,
    render,
    seed_rows,
    table,
    weight_rows,
    with_baseline,
    write_page,
)
from validation.plans import FEW_SEEDS
from validation.proton import pictures
from validation.proton.measures import CUTS, QUANTILES, SCHEMES, TAILS
from validation.proton.plan import BASELINE, METHODS, PAPER, PLAN, SCANS, SCORE, WHOLE, plan
from validation.runner import read_records, read_references
from validation.summary import (
    DIFFERENCE_TITLES,
    SHOWN_SIGMA,
    ByParticle,
    Difference,
    Group,
    difference,
    groups,
    in_order,
    of_part,
    over_seeds,
    reference,
)

Record = Mapping[str, Any]
Records = Mapping[str, Record]
COMMAND = "python -m validation proton"
PUBLISHED = dict(zip(PAPER, ("2.48", "2.36", "2.29", "2.08"), strict=True))
"""Table 1 of arXiv:2406.03263, at least one photon."""
COLUMNS = (
    ("test", "conditional_w1", "cond. W1"),
    ("o2", "conditional_w1", "cond. W1, o2"),
    ("test", "centre_error", "centre error [mm]"),
    ("test", "sigma_total", "σ(total)"),
    ("test", "sigma_centre", "σ(centre)"),
    ("test", "mean_total", "mean total"),
    ("test", "empty", "empty"),
    ("test", "w1", "W1"),
)
NAMES = tuple((where, name) for where, name, _ in COLUMNS)
TITLES = ("", "weight", *(title for *_, title in COLUMNS), *TRAINING_TITLES, "seeds")
COMPARED = {"conditional W1": "by_particle", "centre error [mm]": "centre_by_particle"}
STEPS_OF_TABLE = tuple(zip(PAPER[1:], PAPER, strict=False))
"""Each row of the paper after the row before it."""
PAIRS = (
    (WHOLE, "shuffled"),
    *((method, NEAREST) for method in METHODS),
    *((method, BASELINE) for method in METHODS if method != BASELINE),
    *(pair for pair in STEPS_OF_TABLE if BASELINE not in pair),
    (WHOLE, "proton-sdi"),
    (SCORE, WHOLE),
)
PARTS = ("reweighted", "leaky")
"""Parts of the plan that are shown as a table of their own."""


def write(folder: Path) -> None:
    """README.md of a folder, and its pictures."""
    runs = finals(read_records(folder), METHODS)
    for name, plot in pictures.all_of(runs, read_references(folder)["real"]).items():
        save(plot, folder / name)
    write_page(folder, page(folder))


def page(folder: Path) -> str:
    """The page of a folder's records."""
    return render("proton", facts(read_records(folder), read_references(folder)))


def summary(folder: Path) -> str:
    """What the terminal shows: the methods and how far the study is."""
    values = facts(read_records(folder), read_references(folder))
    return f"{values['methods']}\n\n{values['progress']}"


def facts(records: Records, references: Record) -> dict[str, Any]:
    """All that the template fills in."""
    runs = finals(records, METHODS)
    return {
        "command": COMMAND,
        "seeds": PLAN.seeds,
        "few_seeds": FEW_SEEDS,
        "sigma": SHOWN_SIGMA,
        "particles": references["particles"],
        "progress": progress(records, plan, COMMAND),
        "methods": methods_table(records, references),
        "protocol": {scheme: protocol_table(records, references, scheme) for scheme in SCHEMES},
        "differences": table(("", *DIFFERENCE_TITLES), difference_rows(runs, references)),
        "order": list(order(runs)),
        "tails": tails_table(runs, references["real"]),
        "tails_in_words": list(tails_in_words(runs, references["real"])),
        "weights": table(WEIGHT_TITLES, weight_rows(records, SCANS)),
        "scans": SCANS,
        "edges": edges(records, SCANS),
        "drawn": bool(runs),
        "provenance": provenance(records) if records else None,
        "equal": table(TITLES, seed_rows(with_baseline(records, "equal", BASELINE), NAMES)),
        "parts": {part: table(TITLES, rows_of(records, part)) for part in PARTS},
    }


def rows_of(records: Records, part: str) -> list[list[str]]:
    """Rows of runs that differ in their seed only."""
    runs = groups(of_part(records, part))
    return seed_rows(in_order(runs, METHODS) if part == "final" else runs, NAMES)


def methods_table(records: Records, references: Record) -> str:
    """Methods by their default recipes in the order of the paper, then references."""
    return table(TITLES, [*rows_of(records, "final"), *reference_rows(references, NAMES)])


def protocol_table(records: Records, references: Record, scheme: str) -> str:
    """Table 1 of the paper: W1 at the cuts, with the deviations over runs and over channels."""
    rows = []
    for part, note in (("final", ""), ("leaky", ", by row (leaky)")):
        for one in in_order(groups(of_part(records, part)), METHODS):
            runs = [run["published"] for run in one.whole]
            paper = PUBLISHED.get(one.label, "") if scheme == SCHEMES[0] and not note else ""
            rows.append(protocol_row(f"`{one.label}`{note}", runs, scheme, paper))
    floor = references["references"][REAL]["published"]
    rows.append(protocol_row("*noise floor: half against half*", [floor], scheme, ""))
    cuts = [text for cut in CUTS for text in (f"≥ {cut}", "channels")]
    return table(["", *cuts, "runs", "the paper, ≥ 1"], rows)


def protocol_row(label: str, runs: Sequence[Record], scheme: str, paper: str) -> list[str]:
    """W1 at the cuts; ``runs`` are what records publish."""
    cells = [cell for cut in CUTS for cell in _over_runs(runs, scheme, str(cut))]
    return [label, *cells, str(len(runs)), paper]


def _over_runs(runs: Sequence[Record], scheme: str, cut: str) -> tuple[str, str]:
    """Mean and error over runs, and deviation over channels of the mean over runs."""
    per_run = [values for one in runs if (values := one[scheme][cut]["w1"]) is not None]
    if not per_run:
        return "no shower passes", ""
    mean = over_seeds([{"value": fmean(values), "error": None} for values in per_run])
    channels = pstdev(map(fmean, zip(*per_run, strict=True)))
    note = f" ({len(per_run)} of {len(runs)})" if len(per_run) < len(runs) else ""
    return f"{mean}{note}", f"{channels:.1f}"


def difference_rows(runs: Sequence[Group], references: Record) -> Iterator[list[str]]:
    """Differences of all pairs of which both are there."""
    for title, name in COMPARED.items():
        by_label = sides(runs, references, name)
        for first, second in PAIRS:
            if {first, second} <= by_label.keys():
                one: Difference = difference(by_label[first], by_label[second])
                yield [title, *one.cells]


def order(runs: Sequence[Group]) -> Iterator[str]:
    """What each row of the paper changes against the row before it, in conditional W1."""
    by_label = {one.label: one for one in runs}
    for first, second in STEPS_OF_TABLE:
        if {first, second} <= by_label.keys():
            yield nearness(by_label[first], by_label[second])


def sides(runs: Iterable[Group], references: Record, name: str) -> dict[str, ByParticle]:
    """A number of each particle, of the methods and of the references that have it."""
    by_label = {one.label: one.by_particle(name) for one in runs}
    return by_label | {
        label: reference(label, one[name])
        for label, one in references["references"].items()
        if name in one
    }


def tails_table(runs: Sequence[Group], real: Record) -> str:
    """Tails and dark parts of the channels of Fig. 3."""
    rows = []
    for one in runs:
        for label, title in TAILS.items():
            tails = [run["tails"][label] for run in one.whole]
            dark = over_seeds([{"value": tail["empty"][1], "error": None} for tail in tails])
            above = [bright(one, real, label, quantile) for quantile in QUANTILES]
            row = [f"`{one.label}`", title, *above, dark, f"{tails[0]['empty'][0]:.3f}"]
            rows.append([str(cell) for cell in row])
    return table(("", "", "above real 95 %", "above real 99 %", "dark", "dark, real"), rows)


def bright(group: Group, real: Record, label: str, quantile: float) -> Measured:
    """Generated over real number of showers above a quantile of the real channel.

    The bootstrap takes all showers of a particle together, real and generated.
    """
    return over_seeds([_bright(run, real, label, quantile).record for run in group.whole])


def _bright(run: Record, real: Record, label: str, quantile: float) -> Measured:
    truth, light = (np.array(side["sums"][label]) for side in (real, run))
    limit = np.quantile(truth, quantile)
    of_real, of_run = (np.bincount(real["place"], sums > limit) for sums in (truth, light))
    mean = resampled_mean(of_real.tolist())
    ratio = np.full(len(mean), np.nan)
    np.divide(resampled_mean(of_run.tolist()), mean, out=ratio, where=mean > 0)
    return of_replicates(ratio)


def tails_in_words(runs: Sequence[Group], real: Record) -> Iterator[str]:
    """Which rows make fewer or more bright showers than the real ones, by channel."""
    for label, title in TAILS.items():
        ratios = {f"`{one.label}`": bright(one, real, label, QUANTILES[0]) for one in runs}
        off = {name: excess(ratio) for name, ratio in ratios.items()}
        words = {
            "fewer": [name for name, errors in off.items() if errors < -1],
            "more": [name for name, errors in off.items() if errors > 1],
            "off by 3 sigma": [name for name, errors in off.items() if abs(errors) >= SHOWN_SIGMA],
        }
        texts = {word: [f"{name} ({ratios[name]})" for name in of] for word, of in words.items()}
        lines = [f"{word}: {', '.join(rows) or 'none'}" for word, rows in texts.items()]
        yield f"{title}: {'; '.join(lines)}"


def excess(ratio: Measured) -> float:
    """How many errors a ratio is above 1; below it, negative."""
    return Measured((ratio.value or 0) - 1, ratio.error).sigma or 0.0
