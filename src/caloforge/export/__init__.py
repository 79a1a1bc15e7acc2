"""Trained generators as files that other programs run, one adapter a file."""

from caloforge.extensions import make_callable

make_callable(__name__)
