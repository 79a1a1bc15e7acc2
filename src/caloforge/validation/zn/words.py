"""What the page says beside its numbers."""

COMMAND = "caloforge validate zn"
INTRODUCTION = f"""\
# All methods on the neutron calorimeter

**Claim** ([2207.01561](https://arxiv.org/abs/2207.01561) and its successors): terms for
diversity make a conditional GAN better than the plain one. Here all of them train on the
shipped showers (`zn.h5`, transport by Geant4) for equal CPU seconds, beside our own
`calibrated`.

**Command**: `{COMMAND}` (three CPU-hours; resumable; `--minutes 60` leaves after an
hour, `--workers 2` uses two cores), `{COMMAND} --quick` (one short run of each method).

**Rules.** One thread, float32, the same light networks and batches (16 particles x 8 showers)
for all. A budget in CPU seconds becomes a number of steps by the cost of a step, measured once
(`costs.json`), so that runs are deterministic; the CPU seconds that a run really took stand
beside it. Each run scores its generator ten times on the validation particles and keeps the
best. Trials choose on validation particles only; the test particles, 154 that no run trains on,
judge.

**A fair chance.** The published recipes' optimisers (Adam 2e-4, β₁ 0.5) barely learn in
minutes. `dcgan` therefore tries four optimisers, and every adversarial method takes the best of
them before its four weights are tried. `calibrated` gets no trial: its settings were fixed
beforehand (docs/choices.md)."""
FINALS = """\
Scheme `paper-zn`, W1 in counts, 4 showers against 4 of each test particle. Mean over seeds ±
error of particles (bootstrap) and seeds. *Slope*, *corr.*: generated against real spread of
each particle, the correlation at fixed total; *σ(total)*: spread of the total within a
particle, generated over real. Ideal: 1, but for the distances. An error of a single seed is
that of the particles alone. *Empty showers*: a method that is no nearer has learned nothing
yet."""
PAIRS = """\
Conditional W1. Positive: the first is nearer to the real showers. The bootstrap over particles
is paired (all methods meet the same resamplings), seeds are pooled, and their spread is added
in quadrature; the last column leaves it out."""
LUCKIEST = """\
Adversarial runs of one recipe differ by more than methods do: some seeds never leave the level
of empty showers. So here the worst seed of `calibrated` meets the best seed of each method,
chosen by the very test particles that judge, in its favour. Paired bootstrap over particles."""
FINDINGS = """\
**No term for diversity is shown to beat `dcgan` here**, and none beats the shower of the nearest
training particle. In minutes the game itself is the limit, not its diversity: `dcgan` is too
wide already (σ(total) far above 1), a step with a second fake costs half as much again or more,
so that fewer fit the budget, and every method but `dcgan` and `calibrated` has a seed that
collapses to nearly empty showers or blows up. A score needs no opponent: the seeds of
`calibrated` agree. The published training took hours of a GPU; what these methods reach there
is not said by this table."""
TRIALS = """\
Two CPU-minutes a run, conditional W1 on the validation particles; bold: what the final runs
take, once all four are there. Optimisers: `2e-4`, `5e-4`, `1e-3` for both players;
`as-calibrated`: 1e-3 with weight decay 0.1 for the generator, 5e-4 for the critic. Empty
showers score 44.3."""
WINDOWS = """\
Three CPU-minutes a run, one seed, test particles. `calibrated`: weight of the adversarial loss
beside the energy score (1). `sdi-gan`: weight of selective diversity beside the adversarial
loss (1)."""
