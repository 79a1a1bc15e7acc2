"""Draw the pictures of the documentation from the showers and the simulator that ship.

    python docs/pictures.py [NAME ...]

writes ``docs/images/NAME.png`` for every name, or for all. Each function below draws one picture;
its docstring says how the particles were chosen. Numbers that the pages quote are printed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from numpy.typing import NDArray

from caloforge import Showers, Simulator, detector_of_name, read
from caloforge.data.samples import sample_path
from caloforge.data.split import split_by_particle
from caloforge.evaluate import conditional_w1

IMAGES = Path(__file__).parent / "images"
DOTS_PER_INCH = 110
INK, GREY, ORANGE, BLUE, GREEN = "#1f2937", "#6b7280", "#c2410c", "#1d4ed8", "#047857"
PARTICLE_COLOURS = ("#dbeafe", "#dcfce7", "#fef3c7")
SCHEME = "paper-zn"
SEED = 0


@cache
def real() -> Showers:
    """The showers of the test particles of the shipped ZN sample."""
    sample = read(sample_path("alice_zn"))
    test = split_by_particle(sample.particle, (0.8, 0.1, 0.1), seed=0).test
    return sample.rows(np.flatnonzero(np.isin(sample.particle, test)))


@cache
def generated() -> NDArray[np.uint16]:
    """One shower of the shipped simulator for each real one.  (N, K)"""
    return Simulator.load("alice_zn").generate(real().conditions, seed=SEED)


@cache
def shuffled() -> NDArray[np.uint16]:
    """The real showers, given to other particles.  (N, K)"""
    showers = real()
    groups = showers.groups()
    whole = groups.counts == groups.counts.max()
    starts = groups.starts[whole]
    rows = np.arange(len(showers))
    order = np.random.default_rng(SEED).permutation(len(starts))
    offsets = np.arange(groups.counts.max())
    rows[starts[:, None] + offsets] = starts[order][:, None] + offsets
    return showers.cells[rows]


def empty_figure(width: float, height: float) -> Figure:
    """A figure of a size in inches."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def plain(axes: Axes) -> Axes:
    """Axes with small grey ticks."""
    axes.tick_params(labelsize=8, colors=INK, direction="in")
    for spine in axes.spines.values():
        spine.set_color(GREY)
        spine.set_linewidth(0.7)
    return axes


def by_particle(values: NDArray[Any]) -> NDArray[np.float64]:
    """Values of the particles with eight showers.  (N,) -> (P, 8)"""
    groups = real().groups()
    starts = groups.starts[groups.counts == 8]
    return np.stack([values[starts + repeat] for repeat in range(8)], axis=1).astype(np.float64)


def diversity() -> Figure:
    """Faintest, middle and brightest of eight showers of a consistent and of a diverse particle.

    Real and generated showers are chosen alike. Among the test particles whose mean total is 200
    to 500 photons: the one whose totals vary least, and the one whose totals vary most, relative
    to their mean.
    """
    totals = by_particle(real().total())
    means, sigmas = totals.mean(axis=1), totals.std(axis=1, ddof=1)
    relative = np.full(len(means), np.nan)
    band = (means > 200) & (means < 500)
    relative[band] = sigmas[band] / means[band]
    groups = real().groups()
    starts = groups.starts[groups.counts == 8]
    rows = {
        "consistent": starts[int(np.nanargmin(relative))],
        "diverse": starts[int(np.nanargmax(relative))],
    }
    drawn = empty_figure(9.2, 3.6)
    grid = drawn.subplots(2, 6)
    scale = LogNorm(1, 60)
    for line, (name, start) in zip(grid, rows.items(), strict=True):
        eights = [cells[start : start + 8] for cells in (real().cells, generated())]
        for column, axes in enumerate(line):
            eight = eights[column // 3]
            rank = np.argsort(eight.sum(axis=1), kind="stable")[[0, 4, 7][column % 3]]
            image = real().detector.split(eight[rank][None])["fibres"][0]
            pixels = np.ma.masked_less_equal(image, 0)
            shown = axes.imshow(pixels.T, origin="lower", norm=scale, cmap="viridis")
            x, y = centre_of(start)
            axes.set(xlim=(x - 13.5, x + 13.5), ylim=(y - 13.5, y + 13.5))
            axes.set(xticks=[], yticks=[], facecolor="#f3f4f6")
            axes.set_xlabel(f"{image.sum():.0f} photons", fontsize=9, color=INK)
            for spine in axes.spines.values():
                spine.set_color(ORANGE if column >= 3 else GREY)
                spine.set_linewidth(1.2)
        line[0].set_ylabel(f"{name}\nparticle", fontsize=10, color=INK)
        for side, eight in zip(("real", "generated"), eights, strict=True):
            sums = np.sort(eight.sum(axis=1, dtype=np.int64))
            print(f"{name}, {side}: totals {sums.tolist()}, deviation {sums.std(ddof=1):.1f}")
    grid[0, 1].set_title("transport engine", fontsize=11, color=INK)
    grid[0, 4].set_title("simulator", fontsize=11, color=ORANGE)
    bar = drawn.colorbar(shown, ax=grid, fraction=0.02, pad=0.01)
    bar.set_label("photons in a fibre", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8)
    return drawn


def centre_of(start: int) -> tuple[float, float]:
    """Middle fibre of a square of 27 that holds most of the showers of a particle."""
    image = real().detector.split(real().cells[start : start + 8].sum(axis=0)[None])["fibres"][0]
    x, y = np.unravel_index(int(image.argmax()), image.shape)
    return float(np.clip(x, 13, 30)), float(np.clip(y, 13, 30))


def spreads() -> Figure:
    """Standard deviation of the total of each test particle against its mean, real showers."""
    totals = by_particle(real().total())
    means, sigmas = totals.mean(axis=1), totals.std(axis=1, ddof=1)
    lit = means > 0
    drawn = empty_figure(5.2, 3.6)
    axes = plain(drawn.subplots())
    axes.loglog(means[lit], sigmas[lit], "o", ms=4, color=BLUE, alpha=0.7, mew=0)
    line = np.geomspace(means[lit].min(), means.max(), 2)
    axes.plot(line, np.sqrt(line), "--", color=GREY, lw=1, label="independent photons (Poisson)")
    axes.set_xlabel("mean total of a particle (photons)", fontsize=9)
    axes.set_ylabel("standard deviation of the total", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    print(f"spreads: {int(lit.sum())} particles with light, {int((~lit).sum())} without")
    band = (means > 200) & (means < 500)
    ratio = sigmas[band] / means[band]
    print(f"  relative spread at 200-500 photons: {ratio.min():.2f} to {ratio.max():.2f}")
    return drawn


def floor_of(showers_a_side: int, cells: NDArray[Any] | None) -> tuple[float, float]:
    """Conditional W1 of n against n showers a particle, and its bootstrap error.

    ``cells`` None: real against real.
    """
    showers = real()
    groups = showers.groups()
    starts = groups.starts[groups.counts == 8]
    rng = np.random.default_rng(SEED)
    channels = showers.detector.read_out(showers.cells, SCHEME)
    others = channels if cells is None else showers.detector.read_out(cells, SCHEME)
    each = np.zeros((20, len(starts)))
    for halving in range(20):
        order = rng.permuted(np.tile(np.arange(8), (len(starts), 1)), axis=1)
        first = starts[:, None] + order[:, :showers_a_side]
        second = starts[:, None] + order[:, 4 : 4 + showers_a_side]
        gaps = np.sort(channels[first], axis=1) - np.sort(others[second], axis=1)
        each[halving] = np.abs(gaps).mean(axis=(1, 2))
    values = each.mean(axis=0)
    drawn = rng.integers(len(values), size=(1000, len(values)))
    return float(values.mean()), float(values[drawn].mean(axis=1).std())


def noise_floor() -> Figure:
    """Conditional W1 against the number of showers a side, real and generated."""
    numbers = np.arange(1, 5)
    drawn = empty_figure(5.2, 3.4)
    axes = plain(drawn.subplots())
    for name, cells, colour, shift in (
        ("real against real: the noise floor", None, GREY, -0.03),
        ("generated against real", generated(), ORANGE, 0.03),
    ):
        values, errors = np.transpose([floor_of(n, cells) for n in numbers])
        axes.errorbar(numbers + shift, values, errors, fmt="o-", color=colour, label=name, lw=1.2)
        print(
            f"{name}: "
            + ", ".join(f"{v:.2f} ± {e:.2f}" for v, e in zip(values, errors, strict=True))
        )
    axes.set(xticks=numbers, ylim=(0, None))
    axes.set_xlabel("showers of a particle on each side", fontsize=9)
    axes.set_ylabel("conditional W1 (photons)", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    return drawn


def conditional() -> Figure:
    """What the marginal W1 does not see: real showers given to other particles."""
    totals = real().total().astype(np.float64)
    samples = {
        "generated": (generated().sum(axis=1, dtype=np.float64), ORANGE),
        "real, shuffled": (shuffled().sum(axis=1, dtype=np.float64), BLUE),
    }
    drawn = empty_figure(9.0, 3.4)
    left, *rest = drawn.subplots(1, 3)
    bins = np.geomspace(1, 4000, 25)
    plain(left).hist(totals, bins, color="#d1d5db", label="real")
    for name, (other, colour) in samples.items():
        left.hist(other, bins, histtype="step", color=colour, lw=1.4, label=name)
    left.set_xscale("log")
    left.set_title("all showers together", fontsize=10)
    left.set_xlabel("total (photons)", fontsize=9)
    left.set_ylabel("showers", fontsize=9)
    left.legend(fontsize=8, frameon=False, loc="upper left")
    for axes, (name, (other, colour)) in zip(rest, samples.items(), strict=True):
        a, b = by_particle(totals).mean(axis=1), by_particle(other).mean(axis=1)
        plain(axes).loglog(a + 1, b + 1, "o", ms=3.5, color=colour, alpha=0.7, mew=0)
        axes.plot([1, 4000], [1, 4000], "-", color=GREY, lw=0.8)
        axes.set_title(f"particle by particle: {name}", fontsize=10, color=colour)
        axes.set_xlabel("mean total of a particle + 1, real", fontsize=9)
        axes.set_ylabel(f"the same, {name}", fontsize=9)
    write_distances()
    return drawn


def write_distances() -> None:
    """Marginal and conditional W1 of the simulator and of shuffled showers, as a table."""
    showers = real()
    channels = showers.detector.read_out(showers.cells, SCHEME)
    lines = ["| sample | W1 | conditional W1 | its floor |", "| --- | --- | --- | --- |"]
    for name, cells in (("generated", generated()), ("real, shuffled conditions", shuffled())):
        others = showers.detector.read_out(cells, SCHEME)
        marginal = np.abs(np.sort(channels, axis=0) - np.sort(others, axis=0)).mean()
        each = conditional_w1(
            channels, others, showers.particle, showers.particle, rng=np.random.default_rng(SEED)
        )
        lines.append(f"| {name} | {marginal:.2f} | {each.mean:.2f} | {each.floor_mean:.2f} |")
    (IMAGES / "conditional.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows() -> Figure:
    """One row is one particle: what a batch holds, and what misaligned rows do."""
    drawn = empty_figure(8.6, 3.0)
    aligned, mixed = drawn.subplots(1, 2)
    columns = ("conditions", "generated", "real", "spread")
    for axes, order, title, colour in (
        (aligned, (0, 1, 2), "aligned: a row is a particle", GREEN),
        (mixed, (2, 0, 1), "shuffled conditions: rows are mixed", ORANGE),
    ):
        axes.set(xlim=(-0.65, 3.65), ylim=(2.6, -1.0))
        axes.set_axis_off()
        axes.set_title(title, fontsize=11, color=colour)
        for column, name in enumerate(columns):
            axes.text(column, -0.7, name, ha="center", fontsize=9, color=INK)
            for row in range(3):
                of = order[row] if name == "generated" else row
                box(
                    axes,
                    column,
                    row,
                    f"particle {'ABC'[of]}",
                    ("#dbeafe", "#dcfce7", "#fef3c7")[of],
                )
        for row in range(3):
            for column in range(3):
                arrow = FancyArrowPatch(
                    (column + 0.42, row),
                    (column + 0.58, row),
                    arrowstyle="-",
                    color=colour,
                    lw=1.5,
                )
                axes.add_patch(arrow)
    return drawn


def box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    """A rounded box with a text in its middle."""
    axes.add_patch(
        FancyBboxPatch(
            (x - 0.4, y - 0.25), 0.8, 0.5, boxstyle="round,pad=0.02", fc=colour, ec=GREY, lw=0.7
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=8, color=INK)


def schemes() -> Figure:
    """The middle 12 x 12 fibres of the ZN, coloured by the channel that reads them out."""
    detector = detector_of_name("alice_zn")
    names = ("paper-zn", "paper-zp", "o2")
    drawn = empty_figure(8.6, 3.1)
    colours = ListedColormap(["#93c5fd", "#fca5a5", "#86efac", "#fde68a", "#4b5563"])
    for axes, name in zip(drawn.subplots(1, len(names)), names, strict=True):
        scheme = detector.scheme(name)
        channel = np.array(scheme.of_cell).reshape(44, 44)[16:28, 16:28]
        common = [
            number for number, label in enumerate(scheme.labels) if label == scheme.labels[-1]
        ]
        axes.imshow(
            channel.T, origin="lower", cmap=colours, vmin=0, vmax=4, extent=(16, 28, 16, 28)
        )
        for (x, y), number in np.ndenumerate(channel):
            text = "c" if number in common else scheme.labels[number][-1]
            colour = "white" if number in common else INK
            axes.text(16.5 + x, 16.5 + y, text, ha="center", va="center", fontsize=6, color=colour)
        axes.set_title(name, fontsize=11, color=INK)
        axes.set_xlabel("x (fibre)", fontsize=9)
        axes.set_ylabel("y (fibre)", fontsize=9)
        plain(axes)
        print(name, scheme.labels)
    return drawn


def balance() -> Figure:
    """Value of three diversity terms against the width of the generated showers.

    Distances of latents are 1 and distances of real showers are 1; the constant of the log-ratio
    and the weight of SDI-GAN are left out, so that only the places of the minima mean something.
    """
    width = np.geomspace(0.2, 5, 200)
    drawn = empty_figure(5.2, 3.4)
    axes = plain(drawn.subplots())
    axes.semilogx(width, 1 / width, color=BLUE, label="SDI-GAN: no minimum")
    pull = -np.tanh(1 - width) / width**2
    steps = np.diff(width, prepend=width[0])
    detached = np.cumsum(pull * steps)
    axes.semilogx(
        width, detached - detached.min(), color=ORANGE, label="DivBal-GAN, tanh a constant"
    )
    axes.semilogx(width, np.log(width) ** 2, color=GREEN, label="log-ratio")
    axes.axvline(1, color=GREY, lw=0.8, ls="--")
    axes.set(xticks=[0.25, 0.5, 1, 2, 4], ylim=(0, 4))
    axes.set_xticklabels(["1/4", "1/2", "1", "2", "4"])
    axes.minorticks_off()
    axes.set_xlabel("distance of generated over distance of real showers", fontsize=9)
    axes.set_ylabel("what the generator minimises", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    return drawn


PICTURES: dict[str, Callable[[], Figure]] = {
    drawing.__name__.replace("_", "-"): drawing
    for drawing in (diversity, spreads, noise_floor, conditional, rows, schemes, balance)
}


def main(names: list[str]) -> None:
    """Draw the pictures of these names, or all."""
    IMAGES.mkdir(exist_ok=True)
    for name in names or PICTURES:
        PICTURES[name]().savefig(IMAGES / f"{name}.png", dpi=DOTS_PER_INCH)


if __name__ == "__main__":
    main(sys.argv[1:])
