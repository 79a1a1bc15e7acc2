"""What the page says beside its numbers."""

from caloforge.recipes.proton import REFERENCE as PAPERS_NETWORKS
from caloforge.recipes.proton import REFERENCE_REGRESSOR
from caloforge.validation.proton.plan import FULL, WHOLE, cpu_seconds

SETTINGS = " \\\n        ".join(
    f"--set {setting}" for setting in (*PAPERS_NETWORKS, REFERENCE_REGRESSOR)
)
MINUTES = cpu_seconds(FULL) / 60
COMMAND = "caloforge validate proton"
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
as many as the published split keeps). `proton-gan` tries four optimisers on validation particles,
{FULL.trial_seeds} seeds each; all four rows of the paper take the best. Weights are those of
the recipes; `calibrated` gets no trial.

**What is not comparable.** The paper's showers are transported through the magnets of ALICE and
mostly faint (median 5 photons); ours are spectator protons at the front face (median 563), so that
its cuts on the photon sum remove hardly more than the empty showers, and W1 in photons is larger.
The paper trains 300 epochs of 344 228 rows with networks of 7 million parameters."""
REACHED = """\
Difference of centre errors, paired bootstrap over particles, seeds pooled. Shuffled conditions are
a low bar: a generator that puts all light into the middle clears it, since mean centres of two
particles are farther apart than each is from the middle."""
TABLE = """\
W1 of the channel sums in photons, all rows of a test part against one generated shower for each,
mean over five channels, as the papers compute it. Mean over runs ± deviation **over runs**;
*channels*: the deviation **over channels**, which the paper prints as if it were over runs (its
best row: channels .39, .69, 1.99, 2.36, 5.06 deviate by 1.66; it says 2.0777 ± 1.64). Showers below
the cut are left out on both sides, so that a perfect simulator reaches the floor; generators were
trained without a cut. *Leaky*: the published split by row, one run each: repeats of the judged
particles were trained on. *Floor*: half of the real showers of each particle against the other
half; twice the numbers, as the rows have, would give up to 1.4 times less."""
BEYOND = """\
Test particles, 4 showers against 4 of each. Mean over seeds ± error of particles (bootstrap) and
seeds. *Centre error*: distance between the mean centres of a particle, in mm. *σ*: standard
deviation within a particle, generated over real (ideal 1); *mean total*: generated over real;
*empty*: generated minus real part of the showers. A run whose showers are all dark has no centre
and is left out there (*n of m* runs). W1 in photons, scheme `paper-zp` but where `o2`
is named (the real towers: four vertical strips)."""
PAIRS = """\
Positive: the first is nearer to the real showers. The bootstrap over particles is paired (all meet
the same resamplings), seeds are pooled, their spread is added in quadrature; the last column
leaves it out."""
FIGURES = """\
![The same particles, real and by each method](figure2.png)

Fig. 2: the same particles, real and by each row (first seed).

![Channel 4](figure3-channel4.png) ![Channel 5](figure3-channel5.png)

Fig. 3: sums of channels 4 and 5, all seeds together, scheme `paper-zp`."""
TAILS = """\
Numbers of showers above a quantile of the real channel, generated over real, and the part of the
showers that leave the channel dark. Mean over seeds ± their standard error."""
SCANS = """\
One weight at a time, all else as the recipe says, by the grid of `caloforge search`; one seed, not
used for any choice. `lambda_in` in our units: counts, absolute difference of sums, mean over
showers. Validation score, then test particles."""
TRIALS = """\
`proton-gan`, validation particles; bold: the best on average over seeds, which the rows of the
paper take. `own`: the recipe's
rates, 0.001 and 0.0005; `slow-critic`: that rate for the generator, a tenth for the critic (the
public code has 1e-4 and 1e-5). Empty showers score 104."""
GRID = f"""\
## The paper's 45-point grid

The appendix of the paper tunes lambda_div .01-1 (3 values), lambda_in 1e-11-1e-7 (5), lambda_aux
1e-4-1e-2 (3) in the arithmetic of its script (squared batch sums in log space, shuffled
conditions). `caloforge.validation.proton.published.grid()` gives the 45 recipes in that arithmetic,
apart from our terms. Five runs of 300 epochs on 344 228 rows at each point are 1.5 x 10⁸ steps of
the reference networks; at the budget of this page one seed of the grid is
{45 * FULL.final / 60:.0f} CPU-minutes. It was not run: its units do not carry over."""
REFERENCE = f"""\
## The paper's networks

Its networks (7 million parameters) want a GPU and the full data; 300 epochs of 344 228 rows:

    caloforge train {WHOLE} --data zp.h5 --out run --device cuda --set training.steps=645000 \\
        {SETTINGS}

Not run here: tests train them for 20 steps and export them."""
