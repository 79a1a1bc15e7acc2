"""The 2-D benchmark of arXiv:2207.01561: every method, two optimiser regimes, floors and errors."""
