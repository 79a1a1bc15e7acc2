"""What the training log says is wrong, with the setting to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from caloforge.data.batches import Batches
from caloforge.objectives import Objective, Term
from caloforge.objectives.adversarial import Penalty
from caloforge.objectives.core import spread_name

LIT = 0.5
"""Part of the generated showers that has to have light."""
OF_REAL = 0.9
"""What is asked for where fewer real showers have it: this part of theirs."""
TIMES_THE_GAME = 100.0
LEAST_GAME = 0.1
"""A game below it, such as a Wasserstein distance near 0, is no measure of other terms."""
LEAD = 0.02
"""Mean share of the critic below which it tells nearly every row: its gradient fades."""
SPREADS = 3.0
"""Lead of a critic without bound, in units of its spread over the rows, above which it does."""
Losses = Mapping[str, Mapping[str, float]]
"""Mean of each term, by player and term."""


def warnings_of(
    objective: Objective, losses: Losses, *, empty: float, really_empty: float
) -> Iterator[tuple[str, str]]:
    """What to warn of, as a key (one warning of a kind is enough) and a line.

    More than half of the generated showers are empty (where half of the real ones are, fewer than
    nine tenths as many have light); a term is a hundred times the game of its player; the critic
    tells real from generated in nearly every row.

    Args:
        objective: What is trained.
        losses: Means since the last line of the log.
        empty: Part of the generated validation showers without any light.
        really_empty: The same of the real ones.
    """
    game = game_of(objective)
    if 1 - empty < min(LIT, OF_REAL * (1 - really_empty)):
        yield "empty", empty_line(objective, game, empty, really_empty)
    if game is None:
        return
    for player in ("generator", "critic"):
        yield from too_large(objective, game, player, losses.get(player, {}))
    if lead := lead_of(game, losses.get("critic", {})):
        yield (
            "lead",
            f"{game}: the critic tells nearly every row ({lead}) and teaches little: "
            f"{more_penalty(objective)}, or lower optimisers.critic.learning_rate",
        )


def lead_of(game: str, shares: Mapping[str, float]) -> str:
    """How the critic's share says that it tells nearly every row; empty where it does not."""
    share, spread = shares.get(game), shares.get(spread_name(game))
    if share is None:
        return ""
    if spread is None:
        return f"its share is {share:.2g}" if 0 <= share < LEAD else ""
    if -share <= SPREADS * spread:
        return ""
    return f"its lead of {-share:.3g} is more than {SPREADS:g} times the spread over the rows"


def warnings_before(objective: Objective, batches: Batches) -> Iterator[str]:
    """What to warn of before the first step: of the critic, of one particle, what terms say."""
    game = game_of(objective)
    if is_unbounded(objective, game) and not penalties(objective):
        yield (
            f"{game}: nothing bounds the logits of the critic, which run away: "
            f"{more_penalty(objective)}, or GradientPenalty, as wgan-gp has it"
        )
    if batches.particles == 1 and objective.plays("critic"):
        yield (
            "a batch has one particle (data.particles=1): the critic compares showers of a single "
            "condition in each step: set data.particles=2 or more"
        )
    yield from objective.warnings(batches.repeats, batches.real_pairs_per_particle)


def game_of(objective: Objective) -> str | None:
    """The term that generator and critic play against each other for, if any."""
    for weight, term in objective.terms:
        if weight and term.plays("critic") and term.plays("generator"):
            return name_of(term)
    return None


def too_large(
    objective: Objective, game: str, player: str, shares: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """Terms of a player that leave nothing of the game."""
    weights = {name_of(term): weight for weight, term in objective.terms}
    game_share = max(abs(weights[game] * shares.get(game, 0.0)), LEAST_GAME)
    for name, share in shares.items():
        if name not in weights:  # of the start, which plays no game, or the spread of a share
            continue
        times = abs(weights[name] * share) / game_share
        if name != game and times > TIMES_THE_GAME:
            yield (
                name,
                f"{name} is {times:.0f} times the game ({game}) of the {player}: "
                f"lower objective.{name}.weight (now {weights[name]:g})",
            )


def empty_line(objective: Objective, game: str | None, empty: float, really_empty: float) -> str:
    """A generator without light hardly gets a gradient."""
    cure = more_penalty(objective) if game else "lower optimisers.generator.learning_rate"
    return (
        f"{game or 'the objective'}: {empty:.0%} of the generated showers are empty "
        f"({really_empty:.0%} of the real ones): {cure}"
    )


def more_penalty(objective: Objective) -> str:
    """How to keep the critic smooth."""
    if present := penalties(objective):
        return "raise " + " and ".join(f"objective.{name}.weight" for name in present)
    return "add the penalties R1 and R2 to the objective, as dcgan has them"


def penalties(objective: Objective) -> list[str]:
    """What keeps the critic smooth, by name."""
    return [
        name_of(term) for weight, term in objective.terms if weight and isinstance(term, Penalty)
    ]


def is_unbounded(objective: Objective, game: str | None) -> bool:
    """Whether the game rewards ever larger logits."""
    return any(name_of(term) == game and term.unbounded for _, term in objective.terms)


def name_of(term: Term) -> str:
    """As recipes and logs call a term."""
    return type(term).__name__
