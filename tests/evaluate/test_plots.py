"""Figures are made from arrays, whatever these hold, and leave nothing behind."""

import itertools
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from caloforge import report as plots
from caloforge.detector import Layer
from caloforge.report.figures import binned, binned_mean, paired_ratio, shared_edges
from caloforge.report.style import figure

LAYER = Layer(name="fibres", shape=(6, 4), cell_mm=(2.0, 3.0))


def drawn(figure):
    """The figure, after every artist was drawn once."""
    assert isinstance(figure, Figure)
    assert plots.data_uri(figure).startswith("data:image/png;base64,")
    return figure


def test_bins_count_by_particle_and_keep_what_lies_beyond():
    values = np.array([-5.0, 0.5, 1.5, 1.5, 9.0, np.nan])
    particle_index = np.array([0, 0, 1, 1, 1, 0])
    result = binned(values, particle_index, 2, np.array([0.0, 1.0, 2.0]))
    assert (result.by_particle * 6).tolist() == [[2, 0], [0, 3]]
    assert (result.fraction * 6).tolist() == [2, 3]
    assert result.error * 6 == pytest.approx([2, 3])


def test_the_error_of_the_ratio_is_that_of_drawing_particles_again():
    rng = np.random.default_rng(0)
    particle_index = np.repeat(np.arange(80), 6)
    place = np.repeat(rng.normal(0, 1, 80), 6)
    edges = np.array([-0.5, 0.5])
    samples = [place + rng.normal(0, 1, 480) for _ in range(2)]
    inside = [np.abs(sample) < 0.5 for sample in samples]
    bins = [binned(np.where(i, 0.0, np.nan), particle_index, 80, edges) for i in inside]
    ratio, error = paired_ratio(*bins)
    assert ratio[0] == pytest.approx(inside[1].sum() / inside[0].sum())
    again = []
    for _ in range(1500):
        rows = (rng.integers(0, 80, 80)[:, None] * 6 + np.arange(6)).ravel()
        again.append(inside[1][rows].sum() / inside[0][rows].sum())
    assert error[0] == pytest.approx(np.std(again), rel=0.1)


def test_the_ratio_of_equal_samples_is_one_without_error():
    values, particle_index = np.arange(10.0), np.repeat(np.arange(5), 2)
    bins = binned(values, particle_index, 5, np.linspace(0, 10, 4))
    ratio, error = paired_ratio(bins, bins)
    assert (ratio == 1).all()
    assert (error == 0).all()


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "samples",
    [[np.arange(100.0)], [np.zeros(5)], [np.array([])], [np.full(4, np.nan), np.array([3.0])]],
)
def test_edges_rise(samples, whole):
    edges = shared_edges(samples, whole=whole)
    assert (np.diff(edges) > 0).all()


def test_whole_numbers_share_no_bin_unevenly():
    edges = shared_edges([np.arange(200.0)], whole=True)
    inside = [
        ((values := np.arange(400)) > low) & (values < high)
        for low, high in itertools.pairwise(edges)
    ]
    assert len({int(rows.sum()) for rows in inside}) == 1


@pytest.mark.parametrize("kind", ["usual", "dark", "single", "undefined"])
def test_histograms_of_anything(kind):
    values = {
        "usual": np.random.default_rng(0).exponential(20, 60).round(),
        "dark": np.zeros(60),
        "single": np.array([3.0]),
        "undefined": np.full(4, np.nan),
    }[kind]
    particle_index = np.arange(len(values)) // 2
    others = {"generated": (values + 1, particle_index), "other": (values, particle_index)}
    figure = plots.ratio_histogram(
        (values, particle_index), others, 30, label="common [counts]", whole=True
    )
    upper, lower = drawn(figure).axes
    assert upper.get_yscale() == ("linear" if kind == "undefined" else "log")
    assert lower.get_xlabel() == "common [counts]"
    assert [text.get_text() for text in upper.get_legend().get_texts()] == ["real", *others]


@pytest.mark.parametrize("brightness", [0, 1, 300])
def test_pictures_of_showers(brightness):
    images = np.random.default_rng(1).poisson(brightness, (3, 6, 4)).astype(np.uint16)
    rows = {"real": (images, ["1 · 2"] * 3), "generated": (images[:2], ["3 · 4"] * 2)}
    figure = drawn(plots.shower_rows(rows, LAYER, label="photons"))
    output = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(output) == 5
    assert output[0].get_extent() == [-6, 6, -6, 6]
    assert output[0].origin == "lower"
    assert np.ma.getmaskarray(output[0].get_array()).sum() == (images[0] == 0).sum()
    np.testing.assert_array_equal(np.ma.getdata(output[0].get_array()), images[0].T)


def test_mean_and_difference():
    mean = np.random.default_rng(1).uniform(0, 2, (6, 4))
    drawn(plots.mean_image(mean, LAYER, title="real", label="photons", brightest=2.0))
    drawn(plots.mean_image(0 * mean, LAYER, title="real", label="photons", brightest=0.0))
    figure = drawn(plots.difference_image(mean - 1, LAYER, title="difference", label="photons"))
    scale = figure.axes[0].images[0].norm
    assert scale.vmin == -scale.vmax
    drawn(plots.difference_image(0 * mean, LAYER, title="difference", label="photons"))


@pytest.mark.parametrize(
    "spread", [np.array([]), np.array([np.nan, 2.0]), np.zeros(3), np.arange(9.0)]
)
def test_diversity_of_anything(spread):
    total = 10 * spread
    drawn(plots.diversity_plot(spread, spread / 2, total, unit="counts", slope=0.5))


def test_no_global_state_of_matplotlib_is_touched(tmp_path):
    figure = plots.diversity_plot(*np.ones((3, 4)), unit="counts")
    plots.save(figure, tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").read_text().startswith("<?xml")
    assert "matplotlib.pyplot" not in sys.modules


def test_styles_act_inside_their_context_only():
    import matplotlib as mpl

    from caloforge.errors import UsageError

    before = dict(mpl.rcParams)
    with plots.styled("plain"):
        assert dict(mpl.rcParams) == before
    with pytest.raises(UsageError, match="plain, alice"), plots.styled("nothing"):
        pass
    pytest.importorskip("mplhep")
    values, particle_index = np.arange(40.0), np.arange(40) // 2
    with plots.styled("alice"):
        assert dict(mpl.rcParams) != before
        drawn(
            plots.ratio_histogram(
                (values, particle_index), {"generated": (values, particle_index)}, 20, label="x"
            )
        )
    assert dict(mpl.rcParams) == before


def test_a_style_without_its_extra_names_it(monkeypatch):
    from caloforge.errors import CaloforgeError

    monkeypatch.setitem(sys.modules, "mplhep", None)
    with pytest.raises(CaloforgeError, match=r"needs mplhep: pip"), plots.styled("atlas"):
        pass


def test_colour_bars_of_layers_stand_clear_of_images_and_texts():
    """Layers of any shape, one beside another: nothing covers anything."""
    layers = (
        Layer(name="front", shape=(3, 40), cell_mm=(160.0, 12.0)),
        Layer(name="back", shape=(12, 6), cell_mm=(40.0, 80.0)),
    )
    images = {layer.name: np.ones(layer.shape) for layer in layers}
    for difference in (False, True):
        figure = drawn(
            plots.layer_images(
                {"real": images, "made": images}, layers, label="GeV", difference=difference
            )
        )
        boxes = [axes.get_tightbbox(FigureCanvasAgg(figure).get_renderer()) for axes in figure.axes]
        assert len(boxes) == 6
        for one, other in itertools.combinations(boxes, 2):
            wide = min(one.x1, other.x1) - max(one.x0, other.x0)
            high = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(wide, high) < 2


def test_means_in_bins_of_an_attribute_are_those_of_loops(rng):
    at, observed = rng.uniform(0, 1, 40), rng.normal(size=40)
    observed[3] = np.nan
    edges = np.array([0, 0.3, 0.6, 1.0])
    middle, mean, error = binned_mean(at, observed, edges)
    for bin_, (low, high) in enumerate(itertools.pairwise(edges)):
        rows = [n for n in range(40) if low <= at[n] < high and n != 3]
        expected = sum(observed[n] for n in rows) / len(rows)
        square = sum((observed[n] - expected) ** 2 for n in rows) / len(rows)
        assert middle[bin_] == pytest.approx(sum(at[n] for n in rows) / len(rows))
        assert mean[bin_] == pytest.approx(expected)
        assert error[bin_] == pytest.approx((square / len(rows)) ** 0.5)
    drawn(
        plots.attribute_lines(
            (at, observed), {"made": (at, observed)}, attribute="x", observable="y"
        )
    )


@pytest.mark.parametrize("text", [r"$\frac{x$", "$" + "{" * 3000 + "$", "$$", r"a $\bad{b}$ c"])
def test_names_that_are_no_mathematics_are_drawn_as_they_are(text):
    plot = figure()
    axes = plot.subplots()
    axes.set_xlabel(text)
    axes.set_ylabel("$E^2$")
    drawn(plot)
    assert not axes.xaxis.label.get_parse_math()
    assert axes.yaxis.label.get_parse_math()
