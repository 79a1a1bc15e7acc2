"""What the page says beside its numbers; sentences that hold numbers are made of the records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from caloforge.evaluate.comparison import contrast
from validation.campaign.group import Group
from validation.campaign.judging import EMPTY, NEAREST
from validation.zn.plan import FULL
from validation.zn.summary import BASELINE, OURS, SHOWN, pooled

Record = Mapping[str, Any]
COMMAND = "python -m validation zn"
EMPTY_SCORE = 44.3
"""Of showers without light, on the validation particles (a test computes it)."""
DARK = 0.1
"""Of the real mean total: a generator below it makes nearly empty showers."""


def introduction(hours: float) -> str:
    """Claim, command and rules of a campaign of so many CPU-hours."""
    return f"""\
# All methods on the neutron calorimeter

**Claim** ([2207.01561](https://arxiv.org/abs/2207.01561) and its successors): terms for
diversity make a conditional GAN better than the plain one. Here all of them train on the
shipped showers (`zn.h5`, transport by Geant4) for equal CPU seconds, beside our own
`calibrated`.

**Command**: `{COMMAND}` ({hours:.1f} CPU-hours; resumable; `--minutes 60` leaves after an
hour, `--workers 2` uses two cores), `{COMMAND} --quick` (one short run of each method).

**Rules.** One thread, float32, the same light networks and batches (16 particles x 8 showers)
for all. A budget in CPU seconds becomes a number of steps by the cost of a step, measured once
(`costs.json`), so that runs are deterministic; the CPU seconds that a run really took stand
beside it. Each run scores its generator ten times on the validation particles and keeps the
best. Trials choose on validation particles only; the test particles, 154 that no run trains on,
judge. Three seeds of the final runs were made first and left three of seven differences at 2.1
to 2.7 sigma. Five more of all methods were planned before any of them was seen; three fitted the
time that was left, so all have six.

**A fair chance.** The published recipes' optimisers (Adam 2e-4, β₁ 0.5) barely learn in
minutes. `dcgan` therefore tries four optimisers, and every adversarial method takes the best of
them before its four weights are tried. `calibrated` gets no trial here, but it had its chance
before: the network head, the waves of the impact point and the features were developed with the
energy score, on these validation particles (docs/decisions). All methods share that network.
It may suit a score better than a game; the test particles took part in none of it. Of `ds-gan` the
weight was tried, not the bound: it stays at 0.1, the answer on the points, where two real showers
of a particle are 0.05 of the distance of two latents apart (mean, log pixels), so that the term
still pushes where the answer is passed. Records of seeds 0 to 2 of the published methods and of
most trials name a commit with `-dirty`: files were edited that day, at least the page that the
campaign writes itself, and what else was not kept. Later code counts denormal numbers as zero, so
that seeds 3 to 5 are of the same law as those, not what the old code would give bit for bit."""


FINALS = """\
Scheme `paper-zn`, W1 in counts, 4 showers against 4 of each test particle. Mean over seeds ±
error of particles (bootstrap) and seeds. *Slope*, *corr.*: generated against real spread of
each particle, the correlation at fixed total; *σ(total)*: spread of the total within a
particle, generated over real. Ideal: 1, but for the distances. An error of a single seed is
that of the particles alone. *Empty showers*: a method that is no nearer has learned nothing
yet. Channels and showers as pictures: [comparison](comparison/README.md)."""
DEMANDS = """\
What was asked of `calibrated`. *Sigma*: difference over the errors of particles and seeds in
quadrature, which decides; then without the seeds; then by Student's t with Welch's degrees of
freedom, since an error of a few seeds is itself uncertain: the sigma of a normal law that is as
improbable; then by the ranks of the seeds alone (exact test of Mann and Whitney, test particles
fixed), which one run that blew up does not move as it moves a mean and its error."""
PAIRS = """\
Conditional W1. Positive: the first is nearer to the real showers. The bootstrap over particles
is paired (all methods meet the same resamplings), seeds are pooled, and their spread is added
in quadrature; the last column leaves it out."""
LUCKIEST = """\
Adversarial runs of one recipe differ by more than methods do: some seeds never leave the level
of empty showers. So here the worst seed of `calibrated` meets the best seed of each method,
chosen by the very test particles that judge, in its favour. Paired bootstrap over particles."""
TRIALS = f"""\
{FULL.trial / 60:g} CPU-minutes a run, conditional W1 on the validation particles; bold: what the
final runs take, once all four are there. Optimisers: `2e-4`, `5e-4`, `1e-3` for both players;
`as-calibrated`: 1e-3 with weight decay 0.1 for the generator, 5e-4 for the critic. Empty
showers score {EMPTY_SCORE:g}."""
ABLATIONS = f"""\
{FULL.ablation / 60:g} CPU-minutes a run, test particles. An error of a single seed is that of the
particles alone: it does not say what another seed would give."""
WINDOWS = f"""\
{FULL.ablation / 60:g} CPU-minutes a run, test particles. `calibrated`: weight of the adversarial
loss beside the energy score (1). `sdi-gan`: weight of selective diversity beside the adversarial
loss (1). One seed each: seeds of `sdi-gan` at one weight differ by as much (first table), so its
line says less of weights than of seeds; that of `calibrated` has no window to hit."""
READINGS = f"""\
Above, critic and terms see drawn counts, as `generate` writes them. Then two fakes of a generator
that has collapsed differ, too: by the noise of drawing, which for these faint images is more than
half of the distance of two real showers, so that terms for diversity see less of what the latents
do. The papers' networks and terms see expected counts (`training.drawn=false`). Here every
published method does: the trials over again, same seed, weights and steps ({FULL.trial / 60:g}
CPU-minutes), judged as they are, by the validation particles."""


def named(labels: Iterable[str]) -> str:
    """Names in code type, one after the other."""
    return ", ".join(f"`{label}`" for label in labels)


def seconds(found: Sequence[Group]) -> str:
    """How far the CPU seconds that were taken are from equal."""
    spent = [fmean(run["cpu_seconds"] for run in one.whole) for one in found if one.whole]
    if len(spent) < 2 or not min(spent):
        return ""
    return (
        f"Equal budgets, not equal seconds: rows really took {min(spent):.0f} to {max(spent):.0f} "
        f"CPU seconds (ratio {max(spent) / min(spent):.2f}), since the cost of a step was measured "
        "once, over twelve steps, on a machine whose load varied."
    )


def unproven(rows: Sequence[Sequence[str]]) -> str:
    """Which demands the spread of the seeds leaves open; rows as ``summary.demands`` makes them."""
    weighed = [row for row in rows if row[2]]
    below = [row[0] for row in weighed if float(row[2]) < SHOWN]
    careful = sum(float(row[4]) >= SHOWN for row in weighed)
    ranked = [float(row[5]) for row in weighed if row[5]]
    apart = sum(sigma >= SHOWN for sigma in ranked)
    told = (
        f"By Welch's t {careful} of {len(weighed)} differences stay above {SHOWN:g} sigma, by the "
        f"ranks of seeds {apart} of {len(ranked)}."
    )
    if not below:
        return told
    return (
        f"**{len(below)} of {len(weighed)} differences stay below {SHOWN:g} sigma** when seeds "
        "count: seeds of one adversarial method spread more than methods differ, and a few of "
        f"them do not average it out. {told}"
    )


def findings(found: Sequence[Group], references: Record) -> str:
    """What the final runs say of the published methods."""
    known = {one.label: one for one in found if one.whole}
    others = [label for label in known if label not in (OURS, BASELINE)]
    if BASELINE not in known or not others:
        return ""
    numbers = pooled(found, references)
    sure = [a for a in others if numbers[a].seeds is not None]
    better = [a for a in sure if (contrast(a, BASELINE, numbers).measured.sigma or 0) >= SHOWN]
    nearer = [
        a for a in (BASELINE, *others) if (contrast(a, NEAREST, numbers).measured.value or 0) > 0
    ]
    first = (
        f"Terms for diversity that beat `{BASELINE}` by {SHOWN:g} sigma: {named(better)}."
        if better
        else f"**No term for diversity is shown to beat `{BASELINE}` here** ({SHOWN:g} sigma)."
    )
    parts = [
        first,
        f"Nearer than the shower of the nearest training particle: {named(nearer) or 'none'}.",
        price(known[BASELINE], [known[label] for label in others]),
        lost(found, references),
        "The published training took hours of a GPU; what these methods reach there is not said by "
        "this table.",
    ]
    return " ".join(parts)


def price(baseline: Group, others: Iterable[Group]) -> str:
    """What limits the plain game, and how many steps a second fake leaves."""
    steps = [run["steps"] for one in others for run in one.whole]
    return (
        "In minutes the game itself is the limit, not its diversity: the σ(total) of "
        f"`{baseline.label}` is {baseline.measured('sigma_total')} where 1 is right. Steps with a "
        f"second fake cost more: {min(steps)} to {max(steps)} fit the budget, {baseline.steps} of "
        f"`{baseline.label}` do."
    )


def lost(found: Iterable[Group], references: Record) -> str:
    """Seeds of each method that end nearly dark, or farther off than empty showers are."""
    empty = references["references"][EMPTY]["test"]["conditional_w1"]["value"]
    told, agreeing = [], []
    for one in found:
        ends = [run["test"] for run in one.whole]
        dark = [run for run in ends if (run["mean_total"]["value"] or 0) < DARK]
        wild = [run for run in ends if run not in dark and run["conditional_w1"]["value"] > empty]
        failed = len(one.records) - len(ends)
        counts = ((len(dark), "nearly dark"), (len(wild), "blown up"), (failed, "failed"))
        shown = [f"{number} {what}" for number, what in counts if number]
        if shown:
            told.append(f"`{one.label}` {', '.join(shown)} of {len(one.records)}")
        else:
            agreeing.append(f"`{one.label}`")
    return (
        f"Seeds that end nearly dark (mean total below {DARK:g} of the real one) or blown up "
        f"(farther off than empty showers): {'; '.join(told) or 'none'}. Methods without such a "
        f"seed: {', '.join(agreeing) or 'none'}."
    )


def edges(best: Mapping[str, Record], weights: Mapping[str, Sequence[float]]) -> str:
    """Methods whose best weight is the least or the largest that was tried."""
    found = [
        f"`{name}` ({one['weight']:g})"
        for name, one in best.items()
        if weights.get(name) and one["weight"] in (min(weights[name]), max(weights[name]))
    ]
    if not found:
        return ""
    return (
        f"Chosen at the edge of its four weights: {', '.join(found)}. A better one may lie beyond, "
        "and was not looked for."
    )


def both_ways(rows: Sequence[Sequence[str]]) -> str:
    """The best score of each method in both readings; rows of ``summary.read_in_both_ways``."""
    best: dict[str, list[float]] = {}
    for method, _, *scores in rows:
        known = best.setdefault(method, [math.inf, math.inf])
        for place, score in enumerate(scores):
            if score != "failed":
                known[place] = min(known[place], float(score))
    told = [
        f"`{name}` {drawn:.1f} on drawn, {expected:.1f} on expected counts"
        for name, (drawn, expected) in best.items()
    ]
    return f"Best of the weights: {'; '.join(told)}." if told else ""
