"""Which engine runs a simulator fastest here, by a short measurement."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caloforge.simulator import Simulator
from caloforge.simulator.engines import installed_engines
from caloforge.simulator.sampling import BATCH, draw_latents, stream

FIRST = "onnxruntime"
GAIN = 1.1
"""Another engine has to be faster by this, so that noise seldom changes what is chosen."""
ROUNDS = 5


@dataclass(frozen=True)
class EngineChoice:
    """The engine that was chosen, and what each of them needed."""

    name: str
    microseconds: dict[str, float]
    """For each shower, by engine; empty where there was nothing to choose from."""

    def __str__(self) -> str:
        if not self.microseconds:
            return f"engine: {self.name}"
        times = (f"{name} {value:.1f}" for name, value in self.microseconds.items())
        return f"engine: {self.name} (us a shower: {', '.join(times)})"


def choose_engine(folder: Path, *, threads: int = 1, batch: int = BATCH) -> EngineChoice:
    """The fastest installed engine for a simulator's folder; onnxruntime unless beaten clearly."""
    names = installed_engines()
    if names == [FIRST]:
        return EngineChoice(FIRST, {})
    simulators = {name: Simulator.load(folder, threads=threads, engine=name) for name in names}
    clock = time.process_time if threads == 1 else time.perf_counter
    best = dict.fromkeys(names, np.inf)
    for _ in range(ROUNDS + 1):  # in turn, so that all meet the same disturbances
        for name, simulator in simulators.items():
            best[name] = min(best[name], _seconds(simulator, batch, clock))
    microseconds = {name: seconds / batch * 1e6 for name, seconds in best.items()}
    fastest = min(names, key=lambda name: microseconds[name])
    clear = microseconds[fastest] * GAIN < microseconds[FIRST]
    return EngineChoice(fastest if clear else FIRST, microseconds)


def _seconds(simulator: Simulator, batch: int, clock: Callable[[], float]) -> float:
    """Time of one batch of stored conditions."""
    stored_conditions = simulator.reference.conditions
    conditions = stored_conditions[np.arange(batch) % len(stored_conditions)]
    latents = draw_latents(stream(0, 0, 0), batch, simulator.latent_size)
    start = clock()
    simulator.expected(latents, conditions)
    return clock() - start
