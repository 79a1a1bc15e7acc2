"""Batches: rows that belong together, whole particles, and the same batch for the same step."""

import itertools

import numpy as np
import pytest

from caloforge.data.batches import Batches
from caloforge.data.derive import SpreadBounds, spread
from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, Showers, read
from caloforge.data.split import split_by_particle
from caloforge.detectors import ALICE_ZN
from caloforge.errors import DataError, UsageError
from tests.input_output.raw import IDS, TOY, write_raw
from tests.input_output.test_showers_file import in_memory

ALL = frozenset({"spread", "twin", "peak", "intensity"})
FIELDS = ("conditions", "real", "particle", "twin", "spread", "peak")


@pytest.fixture(scope="module")
def sample():
    return read(sample_path("alice_zn"), ALICE_ZN)


@pytest.fixture(scope="module")
def train(sample):
    return split_by_particle(sample.particle, seed=0).train


def equal(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in FIELDS)


def stream(batches, start, count):
    return list(itertools.islice(batches.iterate(start), count))


def test_every_field_speaks_of_the_same_row(sample, train):
    """A term that mixed rows would find another particle's numbers: all are looked up anew."""
    batches = Batches(sample, train, seed=1, needs=ALL, symmetries=False)
    train_spread = spread(sample, groups=sample.groups().select(train))
    bounds = SpreadBounds.fit(train_spread)
    for batch in stream(batches, 0, 5):
        assert batch.real.shape == (128, 1936)
        assert (batch.particles, batch.repeats) == (16, 8)
        assert np.isin(batch.particle, train).all()
        assert np.array_equal(batch.particle, np.repeat(batch.particle[::8], 8))
        for row in range(128):
            mine = sample.of_particles(batch.particle[row : row + 1])
            assert np.array_equal(batch.conditions[row], mine.conditions[0].astype("f4"))
            assert (mine.cells == batch.real[row]).all(axis=1).any()
            assert (mine.cells == batch.twin[row]).all(axis=1).any()
            expected = bounds.normalise(spread(mine))[0]
            assert batch.spread[row] == np.float32(expected)
            if batch.real[row].any():
                top = np.unravel_index(batch.real[row].argmax(), (44, 44))
                assert tuple(batch.peak[row]) == top
            else:
                assert tuple(batch.peak[row]) == (21.5, 21.5)


def test_rows_of_a_particle_are_all_there_and_twins_are_others():
    batches = Batches(in_memory(), np.array(IDS), seed=0, particles=1, repeats=4, needs=ALL)
    showers = in_memory()
    for batch in stream(batches, 0, 12):
        mine = showers.of_particles(batch.particle[:1]).cells
        rows = [int(np.flatnonzero((mine == real).all(axis=1))[0]) for real in batch.real]
        twins = [int(np.flatnonzero((mine == twin).all(axis=1))[0]) for twin in batch.twin]
        assert set(rows) == set(range(len(mine)))  # fewer rows than repeats: cycled
        assert all(a != b for a, b in zip(rows, twins, strict=True))


def test_single_showers_are_left_out_where_undefined():
    showers = in_memory()
    for needs, n_single in ((frozenset(), 0), ({"twin"}, 1), ({"spread"}, 1), ({"peak"}, 0)):
        batches = Batches(showers, np.array(IDS), seed=0, needs=frozenset(needs), particles=2)
        assert batches.left_out == n_single
        assert len(batches.particle_ids) == 4 - n_single
        particles = {int(p) for batch in stream(batches, 0, 9) for p in batch.particle}
        assert particles == set(batches.particle_ids)
        assert (2 in particles) == (n_single == 0)


@pytest.mark.parametrize("need", ["spread", "twin"])
def test_no_particle_with_what_is_needed(need):
    with pytest.raises(DataError, match=f"no particle has a {need}"):
        Batches(in_memory(), np.array([2]), seed=0, needs=frozenset({need}))


def test_unknown_need_and_unknown_particle():
    with pytest.raises(UsageError, match="no derived column colour"):
        Batches(in_memory(), np.array(IDS), seed=0, needs=frozenset({"colour"}))
    with pytest.raises(DataError, match="no particle 77"):
        Batches(in_memory(), np.array([77]), seed=0)


def test_fields_that_nobody_needs_are_not_made(sample, train):
    batch = Batches(sample, train, seed=0).at(0)
    assert batch.twin is None
    assert batch.spread is None
    assert batch.peak is None


def test_pairs_per_particle(sample, train):
    batches = Batches(sample, train, seed=0)
    assert batches.generated_pairs_per_particle == 28 >= 4
    assert batches.real_pairs_per_particle >= 4


def test_a_step_is_a_pure_function(sample, train):
    fresh = Batches(sample, train, seed=3, needs=ALL)
    whole = stream(fresh, 0, 50)
    late = stream(Batches(sample, train, seed=3, needs=ALL), 30, 20)
    assert all(equal(a, b) for a, b in zip(whole[30:], late, strict=True))
    assert equal(fresh.at(7), whole[7])
    assert not equal(whole[0], Batches(sample, train, seed=4, needs=ALL).at(0))


def test_a_pass_serves_each_particle_once(sample, train):
    batches = Batches(sample, train, seed=0)
    assert len(batches) == len(train) // 16
    for start in (0, len(batches)):
        passed = [b.particle[::8] for b in stream(batches, start, len(batches))]
        assert len(np.unique(np.concatenate(passed))) == 16 * len(batches)
    assert not np.array_equal(batches.at(0).particle, batches.at(len(batches)).particle)


def test_a_file_gives_what_memory_gives(sample, train):
    memory = Batches(sample, train, seed=5, needs=ALL)
    with ShowerFile(sample_path("alice_zn")) as file:
        lazy = Batches(file, train, seed=5, needs=ALL)
        assert all(equal(memory.at(step), lazy.at(step)) for step in (0, 1, 80))


def test_a_small_buffer_still_serves_everything_purely(sample, train):
    with ShowerFile(sample_path("alice_zn")) as file:
        small = Batches(file, train, seed=5, buffer_rows=1000)
        passed = stream(small, 0, len(small))
        assert len(np.unique([b.particle[::8] for b in passed])) == 16 * len(small)
        assert small._rows._cells.shape[0] <= 1000
        again = Batches(file, train, seed=5, buffer_rows=1000)
        assert all(equal(a, b) for a, b in zip(passed[40:45], stream(again, 40, 5), strict=True))
        mixed = [np.ptp(np.flatnonzero(np.isin(train, b.particle))) for b in passed]
        assert np.median(mixed) > len(train) / 2  # neighbours in the file are not neighbours here


def test_ranks_share_all_particles_and_none_twice(sample, train):
    shares = [Batches(sample, train, seed=0, rank=rank, world=3) for rank in range(3)]
    particles = np.concatenate([share.particle_ids for share in shares])
    assert sorted(particles) == sorted(train)
    assert max(len(s.particle_ids) for s in shares) - min(len(s.particle_ids) for s in shares) < 40
    for share in shares:
        own = set(share.particle_ids)
        assert all(set(batch.particle) <= own for batch in stream(share, 0, 4))
    assert not np.array_equal(shares[0].at(0).conditions, shares[1].at(0).conditions)
    with pytest.raises(DataError, match="4 particles cannot be shared by 5"):
        Batches(in_memory(), np.array(IDS), seed=0, rank=0, world=5)


def test_fewer_particles_than_a_batch_wants():
    batch = Batches(in_memory(), np.array(IDS), seed=0, particles=9, repeats=2).at(0)
    assert batch.real.shape == (18, 16)
    assert set(batch.particle) == set(IDS)


def test_at_most_some_showers_of_each_particle():
    showers = in_memory()
    batches = Batches(showers, np.array(IDS), seed=0, particles=4, showers_per_particle=2)
    first_two = {tuple(r) for i in IDS for r in showers.of_particles(np.array([i])).cells[:2]}
    assert {tuple(row) for b in stream(batches, 0, 4) for row in b.real.astype(int)} <= first_two


def test_bounds_of_training_serve_validation(sample, train):
    bounds = SpreadBounds(0.0, 1000.0)
    batches = Batches(sample, train, seed=0, needs=ALL, spread_scale="counts", spread_bounds=bounds)
    batch = batches.at(0)
    mine = sample.of_particles(batch.particle[:1])
    assert batches.spread_bounds == bounds
    assert batch.spread[0] == np.float32(spread(mine, scale="counts")[0] / 1000)


def test_one_symmetry_for_all_of_a_particle(sample, train):
    """Rows, conditions, twin and peak are turned alike; other particles may be turned apart."""
    batches = Batches(sample, train, seed=2, needs=ALL)
    used = set()
    for batch in stream(batches, 0, 4):
        for first in range(0, 128, 8):
            rows = slice(first, first + 8)
            mine = sample.of_particles(batch.particle[first : first + 1])
            fits = [s.name for s in ALICE_ZN.symmetries if turned(mine, s, batch, rows)]
            assert fits, "no symmetry explains images and conditions together"
            used.update(fits if len(fits) == 1 else [])
    assert used == {symmetry.name for symmetry in ALICE_ZN.symmetries}


def turned(mine: Showers, symmetry, batch, rows) -> bool:
    """Whether this one symmetry makes the particle's rows into the rows of the batch."""
    conditions = mine.conditions[0]
    x, y = (conditions[[1, 4]], conditions[[2, 5]])
    x, y = (-x if symmetry.flip_x else x), (-y if symmetry.flip_y else y)
    x, y = (y, x) if symmetry.transpose else (x, y)
    expected = conditions.copy()
    expected[[1, 4]], expected[[2, 5]] = x, y
    if not np.array_equal(batch.conditions[rows][0], expected.astype("f4")):
        return False
    images = mine.cells.reshape(-1, 44, 44)
    images = images[:, ::-1] if symmetry.flip_x else images
    images = images[:, :, ::-1] if symmetry.flip_y else images
    images = images.transpose(0, 2, 1) if symmetry.transpose else images
    condition_rows = {image.tobytes() for image in images.reshape(-1, 1936).astype("f4")}
    return all(row.tobytes() in condition_rows for row in [*batch.real[rows], *batch.twin[rows]])


def test_layers_of_a_toy_from_a_file(tmp_path):
    with ShowerFile(write_raw(tmp_path / "a.h5"), TOY) as file:
        lazy = Batches(file, np.array(IDS), seed=0, particles=2, repeats=3, needs=ALL)
        memory = Batches(in_memory(), np.array(IDS), seed=0, particles=2, repeats=3, needs=ALL)
        assert equal(lazy.at(3), memory.at(3))


def test_attributes_are_the_conditions_of_their_row_with_unit_spread():
    showers = in_memory()
    needs = frozenset({"attributes"})
    batches = Batches(
        showers, np.array(IDS), seed=0, particles=4, repeats=2, needs=needs, symmetries=False
    )
    energies = np.array([showers.of_particles(np.array([name])).conditions[0] for name in IDS])
    for batch in stream(batches, 0, 3):
        for row in range(8):
            for column in range(energies.shape[1]):
                values = energies[:, column].tolist()
                mean = sum(values) / len(values)
                spread = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
                expected = (batch.conditions[row, column] - mean) / (spread or 1)
                assert abs(batch.attributes[row, column] - expected) < 1e-3
    assert stream(Batches(showers, np.array(IDS), seed=0), 0, 1)[0].attributes is None
