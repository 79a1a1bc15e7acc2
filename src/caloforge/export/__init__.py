"""Trained generators as files that other programs run, one adapter a file."""
