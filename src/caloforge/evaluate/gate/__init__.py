"""The gate: whether generated showers can be exchanged for real ones."""
