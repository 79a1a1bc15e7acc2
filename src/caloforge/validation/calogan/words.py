"""What the page of the layered calorimeter says beside its numbers."""

COMMAND = "caloforge validate calogan"
INTRODUCTION = f"""\
# The Conditional CaloGAN on a layered calorimeter

**Claim** ([1711.08813](https://arxiv.org/abs/1711.08813), after
[1712.10321](https://arxiv.org/abs/1712.10321)): a GAN of three layers of different shape (3 x
96, 12 x 12, 12 x 6 cells) can be told E, x0, y0, theta and phi through a regressor of
attributes, and follows them. Here its recipe (`conditional-calogan`) and that of the energy
alone (`calogan`), with light networks, train on the shipped e+ of Geant for as many CPU seconds
as ours (`calibrated`).

**Command**: `{COMMAND}` (resumable; `--minutes 60` leaves after an hour), `{COMMAND} --ablate
blur,attention` (those parts only), `{COMMAND} --quick` (a short run of each recipe).

**Rules.** One thread, float32. CPU seconds become a number of steps by the cost of a step,
measured once (`costs.json`). Each run keeps the best of ten scores on validation showers; 1 600
test showers, which no run trains on, judge. Every number stands beside real against real (as
many training showers in the place of generated ones). Mean over seeds ± error of showers
(bootstrap) and seeds.

**The published sizes are another matter.** The paper trained 150 epochs of 500 000 showers on
four GPUs; minutes of one core on 5 600 showers say which parts pay early, not where the method
ends."""
HEADLINES = """\
*AUC*: a classifier on cells and the observables; *told*: it sees the conditions, too. *worst R²
ratio*: generated over real, by a regressor of real showers. *worst mean*, *worst σ/mean*: total
in six bands of energy, generated over real, the band farthest from 1. *worst resolution*:
σ(total / E), generated over real. In a band of energy σ/mean is mostly the width of the band;
the resolution is what a simulator adds to it. *separation*: mean over the 20 observables (0
equal, 1 disjoint)."""
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

**Where the paper's Fig. 5 disagrees.** Its caption is not quoted here (the paper is not part of
this repository); this is what the engine says of such a traversal. (1) The authors' theta is an
angle to the y axis, 90 degrees for a shower that comes straight in: moved through its range it
shifts layers against each other along y with the sign of the lean, and does not lean the shower
more and more. (2) A broadening follows the polar angle, whichever way the shower leans, and it
is quadratic and small: at 16-20 degrees the width is 44 mm, 38 mm straight in. A traversal that
shows a steady broadening from one end of theta to the other would contradict the engine."""
ENERGY = """\
Share of each layer, and of all, in the energy of the particle. What is missing from 1 leaves
the cells: the overflow beside them (0.0016 of the energy in real showers; files keep it,
generators do not make it) and leakage behind and back. Negative cells: none, every generator
ends in a rectifier."""
BANDS = "Generated over real in six bands of energy: mean total; σ(total) / mean; σ(total / E)."
OBSERVABLES = """\
The 20 shower shapes of CaloGAN (arXiv:1712.10321), by the authors' definitions: separation
power in ten bins of equal population, and below W1 in the unit of each."""
PARTS = """\
Parts of `conditional-calogan` left out, one at a time, and what its regressor of attributes
learns from: real showers only (*whole*), real and generated ones, or nothing any more after it
learned on real ones before (*frozen*)."""
QUALIFICATION = """\
The classifier (two layers of 256, roots of the cells and all observables, particles split 60 :
20 : 20) must be worth its name at this number of showers: it must know an untrained generator,
and real showers whose layers were widened by 10 % with the same energy and the same dark cells."""
