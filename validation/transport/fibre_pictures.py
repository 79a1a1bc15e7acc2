"""Pictures of the fibre calorimeters, of interaction lengths and of the other engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from caloforge.detectors import ALICE_ZN
from caloforge.report.style import MODEL_COLOURS, REAL_EDGE, figure, tidy
from validation.transport.measuring import hits_of
from validation.transport.pictures import Figures, Showers, plain_ticks, with_errors
from validation.transport.points import TILT
from validation.transport.samples import FEWEST

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def zn_response(figures: Figures, showers: Showers) -> Figure:
    """Light yield and resolution of particles that meet metal, and light along the depth."""
    plot = figure(10.5, 3.4)
    panels = [tidy(axes) for axes in plot.subplots(1, 3)]
    for name, colour in (("neutron", MODEL_COLOURS[1]), ("photon", MODEL_COLOURS[0])):
        series = [figures[key] for key in figures if key.startswith(f"zn-{name}-")]
        series.sort(key=lambda entry: float(entry["kinetic_gev"]))
        energies = [entry["kinetic_gev"] for entry in series]
        for axes, column in zip(panels, ("counts_per_gev", "resolution_percent"), strict=False):
            values = [entry[f"{column}_metal"] for entry in series]
            with_errors(axes, energies, values, fmt="o-", color=colour, label=f"{name}s")
        for key, style in ((f"zn-{name}-100", "-"), (f"zn-{name}-1000", "--")):
            if key in showers:
                light = showers[key].profile.sum(axis=0)
                depth, label = np.arange(len(light)) + 0.5, f"{key[3:]} GeV"
                panels[2].plot(depth, light / light.sum(), style, color=colour, lw=1.2, label=label)
    panels[0].set(xscale="log", ylabel="counts per GeV", ylim=(0, None))
    panels[1].set(xscale="log", yscale="log", ylabel="resolution / %")
    plain_ticks(panels[1], (5, 10, 20, 30, 50))
    panels[2].set(ylabel="share of the light per cm", xlim=(0, 100), ylim=(0, None))
    titles = ("kinetic energy / GeV", "kinetic energy / GeV", "depth / cm")
    for axes, what in zip(panels, titles, strict=True):
        axes.set_xlabel(what)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)
    return plot


def interactions(figures: Figures, showers: Showers) -> Figure:
    """Depth of the first interaction of 100 GeV neutrons."""
    plot = figure(4.6, 3.4)
    axes = tidy(plot.subplots())
    for name, label, colour in (
        ("block-interaction", "tungsten block", MODEL_COLOURS[0]),
        ("zn-interaction", "grooved ZN", MODEL_COLOURS[1]),
    ):
        if name in showers:
            length = figures[name]["interaction_length_mm"]
            path = showers[name].profile[:, 0] / TILT[2]
            counts, edges = np.histogram(path, np.arange(0, 805, 40))
            middle = (edges[1:] + edges[:-1]) / 2
            axes.errorbar(middle, counts, np.sqrt(counts), fmt="o", ms=3, lw=1, color=colour,
                          label=f"{label}: {length} mm")  # fmt: skip
            law = len(path) * 40 / length.value * np.exp(-middle / length.value)
            axes.plot(middle, law, color=colour, lw=1)
    axes.set(
        yscale="log",
        xlabel="path to the first interaction / mm",
        ylabel="neutrons per 40 mm",
        ylim=(0.7, None),
    )
    axes.legend(frameon=False, fontsize=8)
    return plot


def against_samples(comparisons: Mapping[str, Mapping[str, dict[str, Any]]]) -> Figure:
    """Our response over that of the other engine for the same particles, and both widths."""
    plot = figure(9.0, 3.6)
    left, right = (tidy(axes) for axes in plot.subplots(1, 2))
    enough = {
        f"{title(detector)} {particle}": entry
        for detector, types in comparisons.items()
        for particle, entry in types.items()
        if entry["n"] >= FEWEST
    }
    names, entries = list(enough), list(enough.values())
    place = list(range(len(names)))
    ratios = [entry["ratio_of_responses"] for entry in entries]
    left.errorbar(
        place,
        [r.value for r in ratios],
        [r.error for r in ratios],
        fmt="o",
        ms=4,
        lw=1,
        color=MODEL_COLOURS[1],
    )
    left.axhline(1, color=REAL_EDGE, lw=0.8)
    left.set(ylabel="response, Geant4 / GEANT3", ylim=(0.5, 1.5))
    for shift, key, colour, label in (
        (-0.12, "width_mm", MODEL_COLOURS[1], "Geant4 (ours)"),
        (0.12, "other_width_mm", REAL_EDGE, "GEANT3 (sample)"),
    ):
        values = [entry[key] for entry in entries]
        shifted = [p + shift for p in place]
        with_errors(right, shifted, values, fmt="o", color=colour, label=label)
    right.set(ylabel="rms width / mm", ylim=(0, None))
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.set_xticks(place, names, rotation=45, ha="right", fontsize=8)
    return plot


def title(name: str) -> str:
    """Short name of a detector."""
    return {"alice_zn": "ZN", "alice_zp": "ZP", "atlas_em": "EM"}.get(name, name)


def zn_gallery(showers: Showers) -> Figure:
    """Single showers of 1 TeV neutrons and photons, logarithmic colours, zeros white."""
    from matplotlib.colors import LogNorm

    plot = figure(9.0, 4.6)
    panels = plot.subplots(2, 4)
    width = ALICE_ZN.layers[0].shape[0] * ALICE_ZN.layers[0].cell_mm[0] / 2
    for row, name in enumerate(("neutron", "photon")):
        key = max((k for k in showers if k.startswith(f"zn-{name}-")), key=energy_of)
        images = hits_of(showers[key])[:4].reshape(-1, *ALICE_ZN.layers[0].shape)
        for axes, image in zip(panels[row], images, strict=False):
            artist = axes.imshow(
                np.where(image > 0, image, np.nan).T, norm=LogNorm(1, 100), origin="lower",
                extent=(-width, width, -width, width), cmap="viridis",
            )  # fmt: skip
            axes.set_title(f"{name} {energy_of(key):g} GeV: {image.sum():.0f}", fontsize=8)
            tidy(axes)
    plot.colorbar(artist, ax=panels, label="counts per fibre", shrink=0.8)
    plot.supxlabel("x / mm", fontsize=9)
    plot.supylabel("y / mm", fontsize=9)
    return plot


def energy_of(name: str) -> float:
    """Energy at the end of a point's name."""
    return float(name.rsplit("-", 1)[1])
