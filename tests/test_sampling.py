"""Counts are unbiased and depend on the seed and the number of a shower only."""

import numpy as np
import pytest

from caloforge.detectors import ALICE_ZN
from caloforge.errors import DataError, UsageError
from caloforge.simulator.sampling import (
    DRAWS,
    NegativeBinomial,
    block_streams,
    draw_counts,
    draw_latents,
    negative_binomial_quantile,
    poisson_quantile,
    read_off,
    variance_of,
)

RATES = np.array([[0.0, 1e-3, 0.3, 0.5, 0.9999, 1.0, 7.25, 300.6]], dtype=np.float32)


CLUMPS = NegativeBinomial(excess=0.25, slope=0.03)
LAWS = [*sorted(DRAWS), CLUMPS, NegativeBinomial(excess=0.3)]


def stream(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def repeated(rows: int) -> np.ndarray:
    return np.repeat(RATES, rows, axis=0)


@pytest.mark.parametrize("sampling", ["rounding", "poisson", CLUMPS])
def test_the_mean_of_the_counts_is_the_rate(sampling):
    counts = draw_counts(repeated(50_000), sampling, stream())
    error = np.maximum(counts.std(axis=0) / np.sqrt(len(counts)), 1e-9)
    assert counts.dtype == np.uint16
    assert np.all(np.abs(counts.mean(axis=0) - RATES[0]) < 4 * error)


def test_rounding_equals_the_loop_over_cells():
    rng, twin = stream(5), stream(5)
    rates = rng.exponential(2, (7, 5)).astype(np.float32)
    twin.exponential(2, (7, 5))
    expected = [
        [
            int(rate) + (float(twin.random(dtype=np.float32)) < float(rate) - int(rate))
            for rate in row
        ]
        for row in rates
    ]
    np.testing.assert_array_equal(draw_counts(rates, "rounding", rng), expected)


def test_rounding_moves_a_cell_by_less_than_one():
    rates = stream().exponential(3, (500, 20)).astype(np.float32)
    counts = draw_counts(rates, "rounding", stream(1)).astype(np.float64)
    assert np.abs(counts - rates).max() < 1
    assert set(draw_counts(np.zeros((9, 9), np.float32), "rounding", stream()).ravel()) == {0}


def test_whole_rates_stay_as_they_are():
    rates = np.arange(60_000, dtype=np.float32).reshape(60, 1000)
    np.testing.assert_array_equal(draw_counts(rates, "rounding", stream()), rates)


def test_poisson_has_the_variance_of_poisson():
    counts = draw_counts(np.full((100_000, 1), 4.0, np.float32), "poisson", stream())
    assert counts.var() == pytest.approx(4, rel=0.03)


def test_energies_pass_through():
    rates = np.array([[-2.5, 0.25, 1e6]], dtype=np.float32)
    np.testing.assert_array_equal(draw_counts(rates, "continuous", stream()), rates)


@pytest.mark.parametrize("sampling", LAWS)
@pytest.mark.parametrize("pieces", [[1] * 12, [5, 7], [11, 1]])
def test_cutting_into_batches_changes_nothing(sampling, pieces):
    rates = stream().exponential(1, (12, 7)).astype(np.float32)
    whole, cut = draw_counts(rates, sampling, stream(2)), stream(2)
    parts = [draw_counts(part, sampling, cut) for part in np.split(rates, np.cumsum(pieces)[:-1])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("sampling", LAWS)
@pytest.mark.parametrize("rate", [np.nan, np.inf, -np.inf])
def test_rates_that_are_no_numbers_are_refused(sampling, rate):
    with pytest.raises(DataError, match="physical"):
        draw_counts(np.array([[0.0, rate]], dtype=np.float32), sampling, stream())


def test_counts_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="65535"):
        draw_counts(np.array([[65536.0]], dtype=np.float32), "rounding", stream())


def test_blocks_and_uses_have_streams_of_their_own():
    firsts = {
        stream.integers(2**62)
        for block in range(20)
        for stream in block_streams(seed=3, block=block)
    }
    assert len(firsts) == 40
    again = draw_latents(block_streams(3, 4)[0], 10, 2)
    np.testing.assert_array_equal(draw_latents(block_streams(3, 4)[0], 5, 2), again[:5])


def test_a_seed_means_the_same_showers_for_ever():
    """Frozen: productions are repeated by seed, so these numbers must never change."""
    latents, counts = block_streams(seed=42, block=7)
    frozen = [0.23861949, 0.97645807]
    np.testing.assert_allclose(draw_latents(latents, 1, 2)[0], frozen, rtol=1e-6)
    assert draw_counts(np.full((1, 6), 0.5, np.float32), "rounding", counts).tolist() == [
        [1, 1, 0, 0, 0, 1]
    ]


def test_poisson_counts_are_the_quantiles_of_the_law(rng):
    from scipy import stats

    rate = 10 ** rng.uniform(-4, 4.5, 20_000)
    level = rng.random(20_000)
    expected = np.minimum(stats.poisson.ppf(level, rate), 65535)
    np.testing.assert_array_equal(poisson_quantile(level, rate), expected)
    assert poisson_quantile(np.zeros(0), np.zeros(0)).shape == (0,)
    top = poisson_quantile(np.full(3, 1 - 2.0**-24), np.array([1e-3, 20.0, 1000.0]))
    assert top.tolist() == stats.poisson.ppf(1 - 2.0**-24, [1e-3, 20.0, 1000.0]).tolist()


@pytest.mark.parametrize(("excess", "slope"), [(0.25, 0.0), (0.2, 0.03), (0.0, 0.1), (3.0, 0.0)])
def test_counts_in_clumps_are_the_quantiles_of_the_law(rng, excess, slope):
    from scipy import stats

    rate, level = 10 ** rng.uniform(-4, 3.5, 4000), rng.random(4000)
    over = excess + slope * rate
    expected = stats.nbinom.ppf(level, rate / over, 1 / (1 + over))
    law = NegativeBinomial(excess=excess, slope=slope)
    np.testing.assert_array_equal(negative_binomial_quantile(level, rate, law), expected)


@pytest.mark.parametrize("law", [CLUMPS, NegativeBinomial(excess=0.5), NegativeBinomial(excess=0)])
def test_counts_in_clumps_have_the_variance_that_is_asked_for(law):
    means, number = np.array([0.05, 0.5, 4.0, 30.0, 120.0]), 40_000
    counts = draw_counts(np.tile(means.astype(np.float32), (number, 1)), law, stream(3))
    expected = variance_of(means, law)
    excess = expected / means - 1
    fourth = expected * (1 + 6 * excess + 6 * excess**2)
    error = np.sqrt((fourth + 2 * expected**2) / number)
    assert np.all(np.abs(counts.var(axis=0) - expected) < 4.5 * error)


def test_clumps_are_a_poisson_number_of_logarithmic_sizes():
    from scipy import stats

    excess, mean, number = 0.5, 2.0, 20_000
    counts = draw_counts(
        np.full((number, 1), mean, np.float32), NegativeBinomial(excess=excess), stream(3)
    )
    clumps = stream(4).poisson(mean * np.log1p(excess) / excess, number)
    sizes = stats.logser.rvs(excess / (1 + excess), size=clumps.sum(), random_state=5)
    twin = np.bincount(np.repeat(np.arange(number), clumps), sizes, number)
    shares = [np.bincount(x.astype(int), minlength=12)[:12] / number for x in (twin, counts[:, 0])]
    assert np.abs(shares[0] - shares[1]).max() < 5 * np.sqrt(2 * 0.25 / number)


@pytest.mark.parametrize("excess", [1e-320, 1e-9])
def test_next_to_no_excess_is_poisson(rng, excess):
    level, rate = rng.random(200), np.linspace(1e-3, 20_000, 200)
    counts = negative_binomial_quantile(level, rate, NegativeBinomial(excess=excess))
    np.testing.assert_allclose(counts, poisson_quantile(level, rate), atol=1)


def test_without_an_excess_clumps_are_poisson():
    rates = stream().exponential(1, (300, 40)).astype(np.float32)
    law = NegativeBinomial(excess=0)
    np.testing.assert_array_equal(
        draw_counts(rates, law, stream(2)), draw_counts(rates, "poisson", stream(2))
    )


@pytest.mark.parametrize(
    ("law", "excess"),
    [("poisson", 0.0), (NegativeBinomial(excess=0.4), 0.4), (NegativeBinomial(excess=0.1), 0.1)],
)
def test_clumps_are_read_off_repeats_whose_rates_fluctuate(law, excess):
    detector, repeats = ALICE_ZN, 8
    x, y = np.indices(detector.layers[0].shape)
    images = [
        9 * np.exp(-((x - 12 - n % 20) ** 2 + (y - 22) ** 2) / (90 + 9 * n)).ravel()
        for n in range(60)
    ]
    smooth = np.repeat(images, repeats, axis=0) * stream(1).gamma(9, 1 / 9, (60 * repeats, 1))
    cells = draw_counts(smooth.astype(np.float32), law, stream(2))
    actual = read_off(detector, cells, np.repeat(np.arange(60), repeats))
    assert actual.excess == pytest.approx(excess, abs=0.02)
    assert actual.slope == 0


def test_clumps_need_repeats():
    cells = np.ones((30, ALICE_ZN.cells), np.uint16)
    with pytest.raises(UsageError, match="too few repeats of alice_zn"):
        read_off(ALICE_ZN, cells, np.arange(30))
