"""Reports: figures, tables and pages. Figures take arrays and are returned; none is shown."""

from caloforge.report.figures import (
    attribute_lines,
    correlation_matrix,
    diversity_plot,
    energy_lines,
    event_peaks,
    radial_profiles,
    ratio_histogram,
)
from caloforge.report.images import (
    difference_image,
    layer_images,
    layer_lines,
    mean_image,
    shower_rows,
)
from caloforge.report.overview import overview
from caloforge.report.pictures import data_uri, save
from caloforge.report.style import STYLES, styled

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
    "overview",
    "radial_profiles",
    "ratio_histogram",
    "save",
    "shower_rows",
    "styled",
]
