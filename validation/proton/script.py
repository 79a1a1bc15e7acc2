"""The arithmetic of the proton paper's public script, as it is, for people who compare.

Paper: arXiv:2406.03263; script: ``notebooks/best_models_py/sin-gan-proton-aux-reg-*.py`` of its
public code. It differs from the paper's equations; what each difference does stands at each
function. None of it is a term of the package, and no recipe of that takes it from here.

Shapes: N rows of a batch, K cells, F critic features, P particles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PlainSerializer
from torch import Tensor, nn
from torch.nn.functional import softplus

from caloforge.detector import Detector
from caloforge.networks.regressors import RegressorKind, regressor
from caloforge.objectives import TERMS, Objective, objective_from_record, objective_record
from caloforge.objectives.core import GanStep, Player, Term
from caloforge.objectives.diversity import l1
from caloforge.recipe import Data, Recipe, override
from caloforge.recipes.proton import REFERENCE, proton_gan

EPSILON = 1e-5
Networks = Literal["light", "reference"]


def stored_spread(spreads: NDArray[np.float64], showers: NDArray[np.int64]) -> NDArray[np.float64]:
    """f_div as stored and as used: by the largest, then from lowest to highest.  (P,) -> (P,)

    ``calculating_diversity_for_data.ipynb`` stores the spread over its largest value; the script
    scales that to [0, 1], over the rows of training and test. Consequence: the same as lowest to
    highest at once, but particles with a single shower, whose spread is not defined, get 0 and
    with it the lowest weight. ``Batches`` leaves those out, and scales by the training part.
    """
    defined = np.where(showers > 1, spreads, 0.0)
    relative = defined / defined.max()
    scaled: NDArray[np.float64] = (relative - relative.min()) / (relative.max() - relative.min())
    return scaled


def misaligned(play: GanStep) -> GanStep:
    """The round with the conditions of its fakes shuffled against everything else.

    ``fake_cond`` / ``noise_cond`` come from a data set that is shuffled on its own (a buffer of
    12 800 rows; here a permutation of the batch). Consequence: the adversary is unharmed, since it
    sees a fake with the condition that made it, but spread, photon sum and target position in the
    losses of a row belong to another particle than its fake. Nothing is drawn: the script trains
    on rates.
    """
    number = len(play.rows.real)
    order = torch.randperm(number, generator=play.random, device=play.rows.real.device)
    return GanStep(
        play.player,
        replace(play.rows, conditions=play.rows.conditions[order]),
        play.networks,
        views=play.views,
        latent_size=play.latent_size,
        random=play.random,
        sampling="continuous",
        precision=play.precision,
    )


def selective_diversity(spread: Tensor, ratio: Tensor) -> Tensor:
    """``mean((std / (div + 1e-5)) * std)``, std a column in the first place.  (N,), (N,) -> ()

    Paper, Eq. (4) of SDI-GAN: f_div(c) / div of the same row. In the script the column broadcasts
    against the row ``div`` to N x N. Consequence: mean(std) * mean_j(std_j / (div_j + 1e-5)), so
    that the weight of the term is multiplied by mean(std), about a tenth; and std_j belongs to
    another condition than div_j (``misaligned``), so that nothing is selective.
    """
    square = spread[:, None] / (ratio + EPSILON)
    return (square * spread).mean()


def intensity(fake: Tensor, real: Tensor) -> Tensor:
    """Squared error of one sum of a whole batch against the photon sum of each row.  (N,)

    Paper: mean absolute error of the sums of a fake and of the real shower of its condition. In
    the script ``reduce_sum`` of the generated images runs over the batch as well, on the log
    scale, where the network lives. ``fake`` holds ln(1 + photons), ``real`` photons, (N, K) each.
    Consequence: one number, thousands of times too large, asks all fakes together to be brighter or
    darker; hence the odd weight of 1e-10. Do not take that weight elsewhere.
    """
    return (fake.sum() - real.sum(dim=1)).square()


def position_error(predicted: Tensor, peak: Tensor) -> Tensor:
    """Mean squared error of the two cell numbers, unscaled.  (N, 2), (N, 2) -> (N,)

    In the script the regressor sees generated images alone, never real ones; the target is that
    of the row's own condition, the image that of a shuffled one. Regressor and generator minimise
    the same number. Consequence: both can agree on the mean position of all showers, whatever the
    image; what is left is a regulariser.
    """
    return (predicted - peak).square().mean(dim=1)


class PublishedScript(Term):
    """All losses of the script, with its weights; 0 leaves one out.  (N,)"""

    needs: ClassVar[frozenset[str]] = frozenset({"spread", "peak"})
    diversity: float = Field(default=0.1, ge=0)
    intensity: float = Field(default=1e-10, ge=0)
    auxiliary: float = Field(default=1e-3, ge=0)
    regressor: RegressorKind = "reference"

    def network(self, detector: Detector) -> nn.Module | None:
        """The auxiliary regressor."""
        return regressor(self.regressor, detector) if self.auxiliary else None

    def plays(self, player: Player) -> bool:
        """True for a player that is trained; without a regressor there is no helper."""
        return super().plays(player) and (player != "helper" or self.auxiliary > 0)

    def critic(self, play: GanStep) -> Tensor:
        """Binary cross-entropy; fakes of shuffled conditions.  (N,)"""
        return softplus(-play.on_real.logit) + softplus(misaligned(play).on_fake.logit)

    def helper(self, play: GanStep) -> Tensor:
        """The regressor's error on generated images.  (N,)"""
        return self.position(play, misaligned(play))

    def generator(self, play: GanStep) -> Tensor:
        """-log D(G), and the three losses of the rows that the fakes do not belong to.  (N,)"""
        other = misaligned(play)
        share = softplus(-other.on_fake.logit)
        if self.diversity:
            ratio = l1(other.on_fake.features, other.on_fake2.features) / l1(other.z1, other.z2)
            share = share + self.diversity * selective_diversity(play.spread, ratio)
        if self.intensity:
            share = share + self.intensity * intensity(play.encode(other.fake), play.rows.real)
        if self.auxiliary:
            share = share + self.auxiliary * self.position(play, other)
        return share

    def position(self, play: GanStep, other: GanStep) -> Tensor:
        """Error of the regressor on the fakes of the other round.  (N,)"""
        return position_error(other.ask(self, other.fake), play.peak)


SCRIPT_TERMS: dict[str, type[Term]] = {**TERMS, "PublishedScript": PublishedScript}
"""What an objective may hold here."""


class ScriptRecipe(Recipe):
    """A recipe whose objective may be the script."""

    objective: Annotated[
        Objective,
        BeforeValidator(partial(objective_from_record, terms=SCRIPT_TERMS)),
        PlainSerializer(objective_record),
    ]


def script(term: PublishedScript | None = None, networks: Networks = "reference") -> ScriptRecipe:
    """The script as a recipe; light networks take the optimisers of the light recipes.

    Rows of a batch are those of 128 particles, nearly what shuffled rows are.
    """
    objective = PublishedScript(regressor=networks) if term is None else term
    base = proton_gan()
    base = override(base, list(REFERENCE)) if networks == "reference" else base
    fields = {name: getattr(base, name) for name in Recipe.model_fields}
    changes = {
        "name": "published-script",
        "citation": "public code of arXiv:2406.03263",
        "objective": 1.0 * objective,
        "data": Data(particles=128, repeats=1, symmetries=False, spread_scale="counts"),
    }
    return ScriptRecipe(**fields | changes)


GRID = {
    "diversity": (0.01, 0.1, 1.0),
    "intensity": (1e-11, 1e-10, 1e-9, 1e-8, 1e-7),
    "auxiliary": (1e-4, 1e-3, 1e-2),
}
"""The paper's 45 points, in the script's units."""


def grid(networks: Networks = "light") -> Iterator[tuple[dict[str, float], ScriptRecipe]]:
    """The weights of each of the 45 points, and its recipe."""
    for values in product(*GRID.values()):
        weights = dict(zip(GRID, values, strict=True))
        yield weights, script(PublishedScript(regressor=networks, **weights), networks)
