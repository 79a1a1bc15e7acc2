"""Splits share no particle, whatever the order of the rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caloforge.data.split import split_by_particle, split_by_row
from caloforge.errors import DataError, UsageError


@given(
    st.sets(st.integers(-5, 10**6), min_size=3, max_size=60),
    st.integers(0, 20),
    st.tuples(st.floats(0.05, 0.9), st.floats(0.05, 0.9)),
)
@settings(max_examples=60, deadline=None)
def test_parts_cover_all_and_share_nothing(ids, seed, weights):
    first, second = weights
    rest = (1 - first) * second
    fractions = (first, rest, 1 - first - rest)
    particle = np.repeat(sorted(ids), 2)
    split = split_by_particle(particle, fractions, seed=seed)
    parts = [split.train, split.validation, split.test]
    assert all(len(part) > 0 for part in parts)
    assert sorted(np.concatenate(parts)) == sorted(ids)
    shuffled = np.random.default_rng(1).permutation(particle)
    again = split_by_particle(shuffled, fractions, seed=seed)
    assert np.array_equal(again.train, split.train)


def test_fractions_and_seed():
    split = split_by_particle(np.arange(1000), (0.7, 0.1, 0.2), seed=0)
    assert [len(split.train), len(split.validation), len(split.test)] == [700, 100, 200]
    other = split_by_particle(np.arange(1000), (0.7, 0.1, 0.2), seed=1)
    assert not np.array_equal(split.test, other.test)
    assert len(set(split.test) & set(other.test)) < 80


def test_a_row_split_says_that_it_leaks():
    split = split_by_row(100, seed=0)
    assert "leaky" in split.label
    assert sorted([*split.train, *split.validation, *split.test]) == list(range(100))


def test_impossible_splits():
    with pytest.raises(UsageError, match="sum to 1"):
        split_by_particle(np.arange(10), (0.5, 0.1, 0.1), seed=0)
    with pytest.raises(UsageError, match="positive"):
        split_by_particle(np.arange(10), (1.0, 0.0, 0.0), seed=0)
    with pytest.raises(DataError, match="2 particles cannot be split"):
        split_by_particle(np.array([1, 1, 2]), seed=0)
