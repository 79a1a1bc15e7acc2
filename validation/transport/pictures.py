"""Pictures of the validation; every function takes figures and showers and returns a Figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from caloforge.report.style import MODEL_COLOURS, REAL_EDGE, figure, tidy
from validation.transport.checks import (
    em_geometry,
    em_resolution,
    em_series,
    linearity,
)
from validation.transport.figures import Value, depths, expected_peak
from validation.transport.measuring import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Figures = Mapping[str, dict[str, Any]]
Showers = Mapping[str, Measured]

LABELS = {"eplus": "e+", "gamma": "photons"}


def with_errors(axes: Axes, energies: list[float], values: list[Value], **style: Any) -> None:
    """Values with errors over energy."""
    axes.errorbar(
        energies,
        [v.value for v in values],
        [v.error for v in values],
        capsize=2,
        lw=1,
        ms=4,
        **style,
    )


def em_response(figures: Figures) -> Figure:
    """Linearity and resolution of the argon signal."""
    plot = figure(8.0, 3.4)
    left, right = (tidy(axes) for axes in plot.subplots(1, 2))
    for name, colour in zip(LABELS, MODEL_COLOURS, strict=False):
        series = em_series(figures, name)
        energies = [entry["kinetic_gev"] for entry in series]
        response = [entry["argon_over_energy"] for entry in series]
        middle = np.average([v.value for v in response], weights=[v.error**-2 for v in response])
        scaled = [Value(100 * (v.value / middle - 1), 100 * v.error / middle) for v in response]
        worst = linearity(response).value
        with_errors(
            left, energies, scaled, fmt="o-", color=colour, label=f"{LABELS[name]}: {worst:.2f} %"
        )
        fit = em_resolution(figures, name)
        label = f"{LABELS[name]}: {fit['a'].value:.1f} %/$\\sqrt{{E}}$ + {fit['b'].value:.2f} %"
        with_errors(
            right,
            energies,
            [entry["resolution_percent"] for entry in series],
            fmt="o",
            color=colour,
            label=label,
        )
        grid = np.geomspace(1, 100, 60)
        right.plot(grid, fit["a"].value / np.sqrt(grid) + fit["b"].value, color=colour, lw=1)
    left.axhspan(-1, 1, color=REAL_EDGE, alpha=0.12, lw=0)
    left.set(
        xscale="log",
        xlabel="kinetic energy / GeV",
        ylabel="argon signal / E, deviation / %",
        ylim=(-2, 2),
    )
    right.set(xscale="log", yscale="log", xlabel="kinetic energy / GeV", ylabel="resolution / %")
    plain_ticks(right, (1, 2, 4, 8))
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8)
    return plot


def plain_ticks(axes: Axes, values: Sequence[float]) -> None:
    """Plain numbers on a logarithmic vertical axis of little more than a decade."""
    axes.set_yticks(values, [f"{value:g}" for value in values])
    axes.set_yticks([], minor=True)


def em_depth(figures: Figures, showers: Showers) -> Figure:
    """Mean profiles of positrons, and depth of the maximum against PDG."""
    plot = figure(8.0, 3.4)
    left, right = (tidy(axes) for axes in plot.subplots(1, 2))
    geometry = em_geometry()
    depth = depths(geometry)
    series = em_series(figures, "eplus")
    for number, entry in enumerate(series):
        energy = entry["kinetic_gev"]
        units = showers[f"em-eplus-{energy:g}"].profile.reshape(-1, 2, geometry.units)
        along = units.sum(axis=1).mean(axis=0) / energy / (depth[1] - depth[0])
        left.plot(depth, along, lw=1.2, color=str(0.75 - 0.17 * number), label=f"{energy:g} GeV")
        left.axvline(
            expected_peak(energy, geometry, photon=False), color=MODEL_COLOURS[0], lw=0.6, ls=":"
        )
    for name, colour in zip(LABELS, MODEL_COLOURS, strict=False):
        series = em_series(figures, name)
        energies = [entry["kinetic_gev"] for entry in series]
        with_errors(
            right,
            energies,
            [entry["peak_x0"] for entry in series],
            fmt="o",
            color=colour,
            label=f"{LABELS[name]}, peak",
        )
        grid = np.geomspace(1, 100, 40)
        expected = np.array([expected_peak(e, geometry, photon=name == "gamma") for e in grid])
        right.plot(grid, expected, color=colour, lw=1)
        right.fill_between(grid, expected - 0.7, expected + 0.7, color=colour, alpha=0.1, lw=0)
    left.set(xlabel="depth / $X_0$", ylabel="deposit / E per $X_0$", xlim=(0, 26), ylim=(0, None))
    right.set(xscale="log", xlabel="kinetic energy / GeV", ylabel="depth of the maximum / $X_0$")
    left.legend(frameon=False, fontsize=8, title="e+, dotted: PDG peak", title_fontsize=8)
    right.legend(frameon=False, fontsize=8, title="lines: PDG, bands: 0.7 $X_0$", title_fontsize=8)
    return plot
