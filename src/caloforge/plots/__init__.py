"""Figures: every function takes arrays and returns a Figure; none shows it or keeps state."""

from caloforge.plots.attributes import attribute_lines
from caloforge.plots.canvas import data_uri, save
from caloforge.plots.diversity import diversity_plot
from caloforge.plots.events import event_peaks
from caloforge.plots.histograms import ratio_histogram
from caloforge.plots.images import difference_image, mean_image, shower_rows
from caloforge.plots.layers import layer_images, layer_lines
from caloforge.plots.matrices import correlation_matrix
from caloforge.plots.profiles import radial_profiles
from caloforge.plots.response import energy_lines
from caloforge.plots.style import STYLES, styled

__all__ = [
    "STYLES",
    "attribute_lines",
    "correlation_matrix",
    "data_uri",
    "difference_image",
    "diversity_plot",
    "energy_lines",
    "event_peaks",
    "layer_images",
    "layer_lines",
    "mean_image",
    "radial_profiles",
    "ratio_histogram",
    "save",
    "shower_rows",
    "styled",
]
