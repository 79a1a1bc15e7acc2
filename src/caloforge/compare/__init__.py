"""Runs of several recipes and seeds, judged by the same showers and against each other."""
