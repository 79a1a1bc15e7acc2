"""Term, Objective, GanStep: the whole theory of a training objective.

``objective = NonSaturating() + 0.1 * SelectiveDiversity()`` reads as the paper's equation. A Term
gives each player one value per row; a GanStep is one update of a player; the Objective reduces,
weighs and names.

Shapes: N rows = P particles x R rows of each (rows of one particle adjacent).
"""

from __future__ import annotations

import warnings
from typing import ClassVar

import torch
from pydantic import ConfigDict, model_validator
from torch import Tensor, nn

from caloforge.detector import Detector
from caloforge.documents import Record
from caloforge.errors import CaloforgeError, UsageError
from caloforge.objectives.gan_step import PLAYERS, GanStep, NonFinite, Player, Rows


class Term(Record):
    """A frozen record of numbers with at most one method per player; None: no share in its game."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    needs: ClassVar[frozenset[str]] = frozenset()
    """Derived columns (spread, twin, peak) that the data layer must add to each row."""
    unbounded: ClassVar[bool] = False
    """Whether the critic's share has no bound: its spread over the rows is logged beside it."""

    @property
    def columns(self) -> frozenset[str]:
        """Derived columns that the term needs as it is set: ``needs``, and what options add."""
        return self.needs

    def generator(self, play: GanStep) -> Tensor | None:
        """The generator's share.  (N,)"""
        return None

    def critic(self, play: GanStep) -> Tensor | None:
        """The critic's share.  (N,)"""
        return None

    def helper(self, play: GanStep) -> Tensor | None:
        """The share of the term's own helper network.  (N,)"""
        return None

    def network(self, detector: Detector) -> nn.Module | None:
        """A helper network that this term owns, if any; stored and trained beside the others."""
        return None

    def warnings(self, repeats: int, real_pairs: float) -> tuple[str, ...]:
        """What to know before training with so many rows, and real pairs, of a particle."""
        return ()

    @property
    def one_pass(self) -> bool:
        """True where the critic must judge real and fake rows in one pass, for ``slopes``."""
        return False

    def plays(self, player: Player) -> bool:
        """True where the term has a share for the player."""
        return getattr(type(self), player) is not getattr(Term, player)

    def logged(self, player: Player) -> tuple[str, ...]:
        """Names of what the log says of the share of a player: its mean, and a spread if any."""
        name = type(self).__name__
        return (name, spread_name(name)) if self.unbounded and player == "critic" else (name,)

    def __add__(self, other: Term | Objective) -> Objective:
        return Objective.of(self) + other

    def __rmul__(self, weight: float) -> Objective:
        return Objective(terms=((float(weight), self),))


class Objective(Record):
    """A weighted sum of terms of different names."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    terms: tuple[tuple[float, Term], ...]

    @model_validator(mode="after")
    def _seeks_what_terms_seek(self) -> Objective:
        for weight, term in self.terms:
            if weight < 0:
                name = type(term).__name__
                raise UsageError(f"objective.{name}.weight is {weight:g}: 0 turns a term off")
        return self

    @classmethod
    def of(cls, item: Term | Objective) -> Objective:
        """The item as an objective; a bare term has weight 1."""
        return item if isinstance(item, Objective) else cls(terms=((1.0, item),))

    def __add__(self, other: Term | Objective) -> Objective:
        terms = self.terms + Objective.of(other).terms
        names = [type(term).__name__ for _, term in terms]
        if len(set(names)) < len(names):
            raise UsageError(f"an objective holds each term once, not {sorted(names)}")
        return Objective(terms=terms)

    def __rmul__(self, weight: float) -> Objective:
        return Objective(terms=tuple((weight * w, term) for w, term in self.terms))

    @property
    def needs(self) -> frozenset[str]:
        """Derived columns that the terms ask for."""
        return frozenset().union(*(term.columns for weight, term in self.terms if weight))

    @property
    def one_pass(self) -> bool:
        """True where a term asks for one pass of the critic on real and fake rows."""
        return any(weight and term.one_pass for weight, term in self.terms)

    def plays(self, player: Player) -> bool:
        """True where a term has a share for the player; a player without one is not trained."""
        return any(weight and term.plays(player) for weight, term in self.terms)

    def warnings(self, repeats: int, real_pairs: float) -> list[str]:
        """What the terms say of batches with so many rows, and real pairs, of a particle."""
        each = [term.warnings(repeats, real_pairs) for weight, term in self.terms if weight]
        return [line for lines in each for line in lines]

    def helpers(self, detector: Detector) -> dict[str, nn.Module]:
        """Helper networks by the name of the term that owns them; none for a weight of 0."""
        networks = {
            type(term).__name__: term.network(detector) for weight, term in self.terms if weight
        }
        return {name: network for name, network in networks.items() if network is not None}

    def __call__(self, play: GanStep) -> tuple[Tensor, dict[str, float]]:
        """Weighted mean over rows for the playing player, and the mean of each term.  ()

        Beside the mean of a critic's share without bound stands its spread over the rows.
        A weight of 0 costs nothing: the term is not computed.
        Raises NonFinite, which names the term.
        """
        loss = play.rows.real.new_zeros(())
        parts = {}
        for weight, term in self.terms:
            share = getattr(term, play.player)(play) if weight else None
            if share is None:
                continue
            name, *spread = term.logged(play.player)
            value = _mean_of_rows(name, share, len(play.rows.real))
            parts[name] = value.item()
            parts |= {one: share.detach().std(correction=0).item() for one in spread}
            loss = loss + weight * value
        return loss, parts


def spread_name(term: str) -> str:
    """Name of the spread of a critic's share in the log."""
    return f"{term}.spread"


def _mean_of_rows(name: str, share: Tensor, rows: int) -> Tensor:
    """Mean of one value per row, after a check of shape and finiteness.  ()"""
    if share.shape != (rows,):
        raise CaloforgeError(f"term {name} returned shape {tuple(share.shape)}, not ({rows},)")
    value = share.mean()
    if not torch.isfinite(value):
        raise NonFinite(f"term {name} is {value.item()}: training stopped")
    return value


def renamed(module: str, name: str) -> object:
    """What an older name of a module means, with a warning; AttributeError for any other."""
    if name == "Round":
        warnings.warn(f"{module}.Round is GanStep now", DeprecationWarning, stacklevel=3)
        return GanStep
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def __getattr__(name: str) -> object:
    return renamed(__name__, name)


__all__ = ["PLAYERS", "GanStep", "NonFinite", "Objective", "Player", "Rows", "Term"]
