"""What the page says beside its numbers."""

from caloforge.recipes.proton import REFERENCE as PAPERS_NETWORKS
from caloforge.recipes.proton import REFERENCE_REGRESSOR
from validation.proton import script_campaign
from validation.proton.plan import FULL, WHOLE, cpu_seconds

SETTINGS = " \\\n        ".join(
    f"--set {setting}" for setting in (*PAPERS_NETWORKS, REFERENCE_REGRESSOR)
)
MINUTES = cpu_seconds(FULL) / 60
COMMAND = "python -m validation proton"
INTRODUCTION = f"""\
# The proton calorimeter: the published comparison, and one that leaks nothing

**Claim** ([2406.03263](https://arxiv.org/abs/2406.03263), Table 1): selective diversity, then
an intensity term, then an auxiliary regressor of the shower centre make a conditional GAN of the
ALICE ZP better step by step. Here the same four rows train on the shipped showers (`zp.h5`,
260 particles x 8 showers, transport by Geant4) for equal CPU seconds, and our `calibrated` as a
fifth.

**Command**: `{COMMAND}` ({MINUTES:.0f} CPU-minutes; resumable; `--minutes 20` leaves after twenty
minutes, `--workers 2` uses two cores), `{COMMAND} --quick` (one short run of each row).

**Rules.** One thread, float32, the same light networks and batches (16 particles x 8 showers).
A budget in CPU seconds becomes a number of steps by the cost of a step, measured once
(`costs.json`), so that runs are deterministic. Each run scores its generator ten times on the
validation particles and keeps the best. Split by particle: 182 train, 26 choose, 52 judge (20 %,
as much as the published split keeps). `proton-gan` tries four optimisers on validation particles,
{FULL.trial_seeds} seeds each; all four rows of the paper take the best. The weight of the intensity
is the best of five on the validation particles, all others are those of the recipes; `calibrated`
gets no trial.

**What is not comparable.** The paper's showers are transported through the magnets of ALICE and
mostly faint (median 5 photons); ours are spectator protons at the front face (median 563), so that
its cuts on the photon sum remove hardly more than the empty showers, and W1 in photons is larger.
The paper trains 300 epochs of 344 228 rows with networks of 7 million parameters."""
REACHED = """\
Difference of centre errors, paired bootstrap over the particles that both sides have a centre of,
seeds pooled. *Seeds*: how many have a centre at all (a dark or failed run has none), of the first
and, where it is trained, of the second; a row whose own seeds are not all there gets no "yes".
Shuffled conditions are a low bar: a generator that puts all light into the middle clears it, since
mean centres of two particles are farther apart than each is from the middle."""
TABLE = """\
W1 of the channel sums in photons, all rows of a test part against one generated shower for each,
mean over five channels, as the papers compute it. Mean over runs ± deviation **over runs**;
*channels*: the deviation **over channels**, which the paper prints as if it were over runs (its
best row: channels .39, .69, 1.99, 2.36, 5.06 deviate by 1.66; it says 2.0777 ± 1.64). Showers below
the cut are left out on both sides, so that a perfect simulator reaches the floor; generators were
trained without a cut. A run of which no shower passes is left out there (*n of m* runs). *By row
(leaky)*: a random split of rows (70, 10, 20 %), as other public codes of this calorimeter make it,
one run each, judged on other rows: repeats of their particles were trained on. The code behind
this paper takes the last 20 % of its rows unshuffled; that is not repeated here, since showers of a
particle are neighbours in our file: its tail would be other particles and would not leak. *Floor*:
half of the real showers of each particle against the other half; twice the numbers, as the rows
have, would give up to 1.4 times less."""
BEYOND = """\
Test particles, 4 showers against 4 of each. Mean over seeds ± error of particles (bootstrap) and
seeds. *Centre error*: distance between the mean centres of a particle, in mm. *σ*: standard
deviation within a particle, generated over real (ideal 1); *mean total*: generated over real;
*empty*: generated minus real part of the showers. A run whose showers are all dark has no centre
and is left out there (*n of m* runs). W1 in photons, scheme `paper-zp` but where `o2`
is named (the real towers: four vertical strips).

*By row (leaky)* is judged on other rows than all else here: 416 rows of 214 particles, of which
other showers were trained on. 138 of the particles have two rows or more, mostly one shower against
one; 11 have four or more, and both σ are those of the 11. Only the floor of the same rows is
comparable with them."""
PAIRS = """\
Positive: the first is nearer to the real showers. The bootstrap over particles is paired (all meet
the same resamplings; both sides average over the particles of which every run that is compared has
the number), seeds are pooled, their spread is added in quadrature; the column after the
significance leaves it out. *Seeds*: how many of the first and of the second have the number."""
FIGURES = """\
![The same particles, real and by each method](figure2.png)

Fig. 2: the same particles, real and by each row (first seed).

![Channel 4](figure3-channel4.png) ![Channel 5](figure3-channel5.png)

Fig. 3: sums of channels 4 and 5, all seeds together, scheme `paper-zp`."""
TAILS = """\
Numbers of showers above a quantile of the real channel, generated over real, and the part of the
showers that leave the channel dark. Mean over seeds ± their standard error."""
SCANS = """\
One weight at a time, by the grid of `caloforge search`; one seed. The best `lambda_in` on the
validation particles (bold) is what all rows with an intensity have, in the other scans, too; these
choose nothing. `lambda_in` in our units: counts, absolute difference of sums, mean over showers.
Validation score, then test particles."""
TRIALS = """\
`proton-gan`, validation particles; bold: the best on average over seeds, which the rows of the
paper take. `own`: the recipe's
rates, 0.001 and 0.0005; `slow-critic`: that rate for the generator, a tenth for the critic (the
public code has 1e-4 and 1e-5). Empty showers score 104."""
GRID = f"""\
## The paper's grid of {len(script_campaign.POINTS)} points

The appendix of the paper tunes lambda_div .01-1 (3 values), lambda_in 1e-11-1e-7 (5), lambda_aux
1e-4-1e-2 (3) in the arithmetic of its script (squared batch sums in log space, shuffled
conditions). Its units do not carry over to our terms, so that it is a campaign of its own in that
arithmetic (`src/caloforge/validation/proton/published.py`), and no part of this page:
`{script_campaign.COMMAND}`, one seed, light networks, {script_campaign.CPU_SECONDS:g} CPU seconds a
point, {script_campaign.MINUTES:.0f} CPU-minutes. Five runs of 300 epochs on 344 228 rows at each
point would be 1.5 x 10⁸ steps of the reference networks."""
REFERENCE = f"""\
## The paper's networks

Its networks (7 million parameters) want a GPU and the full data; 300 epochs of 344 228 rows:

    caloforge train {WHOLE} --data zp.h5 --out run --device cuda --set training.steps=645000 \\
        {SETTINGS}

Not run here: tests train them for 20 steps and export them."""
