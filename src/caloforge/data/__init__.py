"""Showers on disk and in memory, what is derived from them, splits, scaling and batches."""
