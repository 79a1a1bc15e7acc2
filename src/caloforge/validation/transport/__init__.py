"""``caloforge validate transport``: the engine against PDG and against another engine."""
