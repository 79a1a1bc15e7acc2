"""What the training log says is wrong, with the setting to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from caloforge.objectives import Objective, Term

EMPTY = 0.5
"""Part of the generated showers that may be empty, beside those that real ones are."""
TIMES_THE_GAME = 100.0
LEAST_GAME = 0.1
"""A game below it, such as a Wasserstein distance near 0, is no measure of other terms."""
LEAD = 0.02
"""Mean share of the critic below which it tells nearly every row: its gradient fades."""
Losses = Mapping[str, Mapping[str, float]]
"""Mean of each term, by player and term."""


def warnings_of(
    objective: Objective, losses: Losses, *, empty: float, really_empty: float
) -> Iterator[tuple[str, str]]:
    """What to warn of, as a key (one warning of a kind is enough) and a line.

    Args:
        objective: What is trained.
        losses: Means since the last line of the log.
        empty: Part of the generated validation showers without any light.
        really_empty: The same of the real ones.
    """
    game = game_of(objective)
    if empty > EMPTY + really_empty / 2:
        yield "empty", empty_line(objective, game, empty, really_empty)
    if game is None:
        return
    yield from too_large(objective, game, losses.get("generator", {}))
    lead = losses.get("critic", {}).get(game)
    if lead is not None and 0 <= lead < LEAD:
        yield (
            "lead",
            f"{game}: the critic tells nearly every row (its share is {lead:.2g}) and teaches "
            f"little: {more_penalty(objective)}, or lower optimisers.critic.learning_rate",
        )


def game_of(objective: Objective) -> str | None:
    """The term that generator and critic play against each other for, if any."""
    for weight, term in objective.terms:
        if weight and term.plays("critic") and term.plays("generator"):
            return name_of(term)
    return None


def too_large(
    objective: Objective, game: str, shares: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """Terms of the generator that leave nothing of the game."""
    weights = {name_of(term): weight for weight, term in objective.terms}
    game_share = max(abs(weights[game] * shares.get(game, 0.0)), LEAST_GAME)
    for name, share in shares.items():
        if name not in weights:  # of the start, which plays no game
            continue
        times = abs(weights[name] * share) / game_share
        if name != game and times > TIMES_THE_GAME:
            yield (
                name,
                f"{name} is {times:.0f} times the game ({game}): lower objective.{name}.weight "
                f"(now {weights[name]:g})",
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
    names = [name_of(term) for weight, term in objective.terms if weight]
    present = [name for name in ("R1", "R2", "GradientPenalty") if name in names]
    if present:
        return "raise " + " and ".join(f"objective.{name}.weight" for name in present)
    return "add the penalties R1 and R2 to the objective, as dcgan has them"


def name_of(term: Term) -> str:
    """As recipes and logs call a term."""
    return type(term).__name__
