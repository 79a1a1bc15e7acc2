"""The parts of a training run; ``caloforge.train`` puts them together."""
