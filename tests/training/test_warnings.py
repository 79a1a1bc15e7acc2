"""What the training log says is wrong, with the term and the setting to change."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from caloforge.objectives import (
    R1,
    R2,
    EnergyScore,
    GradientPenalty,
    Hinge,
    NonSaturating,
    Objective,
    Paired,
    SelectiveDiversity,
    Wasserstein,
)
from caloforge.recipe import override
from caloforge.train import train
from caloforge.training.warnings import warnings_before, warnings_of
from small_game import networks, round_of, rows
from small_run import set_options, small_recipe, write_part_of_sample

GAME = Paired() + 0.5 * R1() + 0.1 * SelectiveDiversity()
FAIR: dict[str, dict[str, float]] = {
    "critic": {"Paired": 0.6, "R1": 0.1},
    "generator": {"Paired": 0.8, "SelectiveDiversity": 2.0},
}


def lines(
    objective: Any = GAME, losses: Any = FAIR, empty: float = 0.1, really_empty: float = 0.1
) -> dict[str, str]:
    return dict(warnings_of(objective, losses, empty=empty, really_empty=really_empty))


def changed(player: str, term: str, value: float) -> dict[str, dict[str, float]]:
    return FAIR | {player: FAIR[player] | {term: value}}


def test_a_fair_game_is_not_warned_of() -> None:
    assert lines() == {}


@pytest.mark.parametrize(
    ("empty", "really_empty", "message"),
    [
        (0.51, 0.0, True),
        (0.49, 0.0, False),
        (0.51, 0.4, True),
        (0.63, 0.6, False),  # four tenths of the real ones have light, nine tenths of it are 0.36
        (0.65, 0.6, True),
        (1.0, 0.99, True),
    ],
)
def test_dark_showers(empty: float, really_empty: float, message: bool) -> None:
    """More than half, unless the real ones are as dark."""
    actual = lines(empty=empty, really_empty=really_empty)
    assert ("empty" in actual) is message
    if message:
        assert (
            f"Paired: {empty:.0%} of the generated showers are empty "
            f"({really_empty:.0%} of the real ones)"
        ) in actual["empty"]
        assert "raise objective.R1.weight" in actual["empty"]


def test_a_game_without_penalty_is_told_to_take_one() -> None:
    assert (
        "penalties R1 and R2"
        in lines(NonSaturating() + 1.0 * SelectiveDiversity(), {}, 0.9)["empty"]
    )
    assert "optimisers.generator.learning_rate" in lines(1.0 * EnergyScore(), {}, 0.9)["empty"]


@pytest.mark.parametrize(("share", "message"), [(810.0, True), (790.0, False)])
def test_a_term_that_drowns_the_game(share: float, message: bool) -> None:
    """0.1 x 810 is 101 times the game, whose share is 0.8."""
    actual = lines(losses=changed("generator", "SelectiveDiversity", share))
    assert ("SelectiveDiversity" in actual) is message
    if message:
        assert "lower objective.SelectiveDiversity.weight (now 0.1)" in actual["SelectiveDiversity"]


@pytest.mark.parametrize(("share", "message"), [(121.0, True), (119.0, False)])
@pytest.mark.parametrize("penalty", [R1(), R2(), GradientPenalty()], ids=repr)
def test_a_penalty_that_drowns_the_game(penalty: Any, share: float, message: bool) -> None:
    """0.5 x 121 is 101 times the critic's share of the game, 0.6."""
    name = type(penalty).__name__
    actual = lines(Paired() + 0.5 * penalty, {"critic": {"Paired": 0.6, name: share}})
    assert (name in actual) is message
    if message:
        expected = f"{name} is 101 times the game (Paired) of the critic: lower objective.{name}"
        assert actual[name] == f"{expected}.weight (now 0.5)"


@pytest.mark.parametrize(("share", "message"), [(0.019, True), (0.021, False), (-3.0, False)])
def test_a_lead_that_teaches_nothing(share: float, message: bool) -> None:
    actual = lines(losses=changed("critic", "Paired", share))
    assert ("lead" in actual) is message


@pytest.mark.parametrize(
    ("share", "spread", "message"),
    [(-6.1, 2.0, True), (-5.9, 2.0, False), (-0.61, 0.2, True), (6.1, 2.0, False), (0, 0, False)],
)
def test_a_lead_without_bound_is_compared_with_its_spread(
    share: float, spread: float, message: bool
) -> None:
    """The share of a Wasserstein critic is a difference of logits, of any unit."""
    objective = Wasserstein() + 10.0 * GradientPenalty()
    actual = lines(objective, {"critic": {"Wasserstein": share, "Wasserstein.spread": spread}})
    assert ("lead" in actual) is message
    if message:
        assert actual["lead"] == (
            "Wasserstein: the critic tells nearly every row "
            f"(its lead of {-share:.3g} is more than 3 times the spread over the rows) and teaches "
            "little: raise objective.GradientPenalty.weight, or lower "
            "optimisers.critic.learning_rate"
        )


def test_the_log_holds_the_spread_of_a_lead_without_bound() -> None:
    """Of the game alone, and of the critic alone."""
    nets, batch = networks(), rows()
    play = round_of("critic", batch, nets)
    share = Wasserstein().critic(play).detach()
    _, parts = (Wasserstein() + 1.0 * GradientPenalty())(play)
    assert list(parts) == ["Wasserstein", "Wasserstein.spread", "GradientPenalty"]
    assert parts["Wasserstein.spread"] == pytest.approx(share.numpy().std())
    for term, player in ((Wasserstein(), "generator"), (Hinge(), "critic")):
        _, parts = Objective.of(term)(round_of(player, batch, nets))
        assert list(parts) == [type(term).__name__]


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Objective.of(Wasserstein()), True),
        (Wasserstein() + 0.0 * GradientPenalty(), True),
        (Wasserstein() + 10.0 * GradientPenalty(), False),
        (Wasserstein() + 1.0 * R1(), False),
        (Objective.of(Hinge()), False),
        (1.0 * EnergyScore(), False),
    ],
    ids=repr,
)
def test_a_critic_that_nothing_bounds(objective: Objective, message: bool) -> None:
    """Its lead grows with its spread, so that the log of the run cannot tell it."""
    batches: Any = SimpleNamespace(particles=2, repeats=8, real_pairs_per_particle=9.0)
    expected = (
        "Wasserstein: nothing bounds the logits of the critic, which run away: add the penalties "
        "R1 and R2 to the objective, as dcgan has them, or GradientPenalty, as wgan-gp has it"
    )
    assert (expected in warnings_before(objective, batches)) is message


@pytest.mark.parametrize(
    ("name", "particles", "message"),
    [("dcgan", 1, True), ("dcgan", 2, False), ("calibrated", 1, False)],
)
def test_batches_of_one_particle(
    name: str, particles: int, message: bool, tmp_path: Path, caloforge: Any
) -> None:
    options = set_options(f"data.particles={particles}", "data.repeats=2", "training.steps=1")
    showers = write_part_of_sample(tmp_path / "zn.h5")
    code, _, log = caloforge(
        "train", name, "--data", showers, "--out", tmp_path / "run", "--device", "cpu", *options
    )
    assert code == 0
    expected = (
        "warning: a batch has one particle (data.particles=1): the critic compares showers of a "
        "single condition in each step: set data.particles=2 or more\n"
    )
    assert (expected in log) is message


class Loud:
    """What a reporter is asked to warn of."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, name: str) -> Any:
        from caloforge.reporter import SILENT

        return self.lines.append if name == "warn" else getattr(SILENT, name)


def test_a_run_warns_once_of_each_kind(tmp_path: Path) -> None:
    """A weight a million times too large, scored three times."""
    recipe = override(small_recipe(name="sdi-gan"), ["objective.SelectiveDiversity.weight=1e6"])
    reporter: Any = Loud()
    train(recipe, write_part_of_sample(tmp_path / "zn.h5"), tmp_path / "run", reporter=reporter)
    message = [line for line in reporter.lines if "objective.SelectiveDiversity.weight" in line]
    assert len(message) == 1
    assert message[0].startswith("step 4: ")
