"""Figures: every function takes arrays and returns a Figure; none shows it or keeps state."""

from caloforge.plots.canvas import data_uri, save
from caloforge.plots.diversity import diversity_plot
from caloforge.plots.histograms import ratio_histogram
from caloforge.plots.images import difference_image, mean_image, shower_rows

__all__ = [
    "data_uri",
    "difference_image",
    "diversity_plot",
    "mean_image",
    "ratio_histogram",
    "save",
    "shower_rows",
]
