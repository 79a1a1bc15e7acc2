"""``python -m validation transport``: the engine against PDG and against another engine."""
