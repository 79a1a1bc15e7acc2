"""What the training log says is wrong, with the term and the setting to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from caloforge.objectives import R1, EnergyScore, NonSaturating, Paired, SelectiveDiversity
from caloforge.recipe import override
from caloforge.train import train
from caloforge.training.warnings import warnings_of
from small_run import small_recipe, write_part_of_sample

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


@pytest.mark.parametrize(("empty", "message"), [(0.56, True), (0.54, False)])
def test_dark_showers(empty: float, message: bool) -> None:
    actual = lines(empty=empty)
    assert ("empty" in actual) is message
    if message:
        assert (
            "Paired: 56% of the generated showers are empty (10% of the real ones)"
            in actual["empty"]
        )
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


@pytest.mark.parametrize(("share", "message"), [(0.019, True), (0.021, False), (-3.0, False)])
def test_a_lead_that_teaches_nothing(share: float, message: bool) -> None:
    """A Wasserstein critic has a negative share: it has no bound to saturate at."""
    actual = lines(losses=changed("critic", "Paired", share))
    assert ("lead" in actual) is message


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
