"""What the page of the layered calorimeter says beside its numbers."""

COMMAND = "python -m validation calogan"
INTRODUCTION = f"""\
# The Conditional CaloGAN on a layered calorimeter

**Claim** ([1711.08813](https://arxiv.org/abs/1711.08813), after
[1712.10321](https://arxiv.org/abs/1712.10321)): a GAN of three layers of different shape (3 x
96, 12 x 12, 12 x 6 cells) can be told E, x0, y0, theta and phi through a regressor of
attributes, and follows them. Here its recipe (`conditional-calogan`) and that of the first paper,
told the energy alone (`calogan`), with light networks, train on the shipped e+ of Geant with the
budget of ours (`calibrated`).

**Command**: `{COMMAND}` (resumable; `--minutes 60` leaves after an hour), `{COMMAND} --ablate
blur,attention` (of the parts only these; recipes and heads run, too), `{COMMAND} --quick` (a
short run of each recipe).

**Rules.** One thread, float32. A budget of CPU seconds becomes a number of steps by the cost of a
step, measured once (`costs.json`); the CPU seconds really taken stand in the table. Each run keeps
the best of its ten or eleven scores (the last step is scored, too) on validation showers; 1 600
test showers, which no run trains on, judge. Mean over seeds ± error of showers (bootstrap) and
seeds.

**Floors.** Classifiers, observables and bands of energy stand beside real against real: as many
training showers in the place of generated ones. Slopes, shares and R² stand beside those of the
real test showers. Ratios of R² have the same particles below, and no other floor than 1; what is
nearest to a shower is shown among training showers, too.

**The published sizes are another matter.** The paper trained 150 epochs of 500 000 showers on
four GPUs; minutes of one core on 5 600 showers say which parts pay early, not where the method
ends."""
HEADLINES = """\
*AUC*: a classifier on cells and the observables; *told*: it sees the conditions, too. *95 %
bound*: one-sided, from the error of the showers and from the spread of the seeds, in quadrature;
of the latter Student's t takes 2.92 errors for three seeds, and a single seed has none. *worst R²
ratio*: generated over real, by a regressor of real showers. *worst mean*, *worst σ/mean*: total
in six bands of energy, generated over real, the band farthest from 1. *worst resolution*:
σ(total / E), generated over real. In a band of energy σ/mean is mostly the width of the band;
the resolution is what a simulator adds to it. *separation*: mean over the 20 observables (0
equal, 1 disjoint). *Real against real* meets other particles, whose energies in a band differ."""
ATTRIBUTES = """\
R² of each attribute, read back by a regressor that learned on real training showers only and
takes part in no training: on real test showers, and on generated ones over that. Above 1: the
attribute is easier to read from generated showers than from real ones, which fluctuate more."""
SLOPES = """\
Each attribute with the observable that follows it: coefficient of a linear fit on all
conditions, for the transport engine and for generated showers of the same particles; in
brackets at fixed latents, all other attributes in the middle of their ranges (Figs. 3-5). Those
two need not agree where the dependence is not linear: in x the first layer has three cells of
160 mm, so that its centre, and the shift to the next layer, hang on x0 as well.

**Where Fig. 5 would disagree.** The paper's caption is not available to us. By the engine, theta
(an angle to the y axis, 90 degrees straight in) shifts layers against each other along y with the
sign of the lean, and the width follows the polar angle, quadratic and small: 44 mm at 16-20
degrees, 38 mm straight in. A traversal that shifts to either side and broadens a little towards
both ends agrees; a steady broadening from one end of theta to the other would not."""
ENERGY = """\
Share of each layer, and of all, in the energy of the particle. What is missing from 1 leaves
the cells: the overflow beside them (0.0016 of the energy in real showers; files keep it,
generators do not make it) and leakage behind and back. Negative cells: none can be made. The light
networks deal the energy to cells in parts that are not negative and cut faint ones; the published
ones end in a rectifier."""
BANDS = """\
Generated over real in six bands of energy: mean total; σ(total) / mean; σ(total / E). *Real against
real* has other particles, and so other energies within a band, which moves the first two by a few
per cent; generated showers have the particles of the real ones."""
OBSERVABLES = """\
The 20 shower shapes of CaloGAN (arXiv:1712.10321), by the authors' definitions: separation
power in ten bins of equal population, and below W1 in the unit of each."""
PARTS = """\
Parts of `conditional-calogan` left out, one at a time, and what its regressor of attributes
learns from: real showers only (*whole*), real and generated ones, or nothing any more after it
learned on real ones before (*frozen*)."""
DIFFERENCES = """\
An AUC of 1 tells nothing apart; these two numbers still do. Separation: positive is worse than
*whole*. Worst R² ratio: negative is worse. Errors of both sides, showers and seeds, in
quadrature: they meet the same showers, so that those of the differences are rather smaller."""
PICTURES = """\
x is axis 0 of the cells ("phi" in the papers' pictures), y is axis 1 ("eta"). *Nearest*: seven real
showers that are lit in the layer, from faint to bright, each over the generated and the real
training shower nearest to it in the cells of that layer (2-norm in GeV); every column in parts of
what the layer holds of its real shower. *Moved*: one attribute through its range at fixed latents,
the others in the middle of theirs; below each layer the ten real showers of the nearest conditions,
with their mean value of that attribute."""
QUALIFICATION = """\
The classifier (two layers of 256, roots of the cells and all observables, particles split 60 :
20 : 20) must be worth its name at this number of showers: it must know an untrained generator,
and real showers whose layers were widened by 10 % with the same energy and the same dark cells."""
