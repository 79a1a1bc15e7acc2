"""A simulator for AliceO2: generator, hit classifier, scales, and the command line to paste.

Shapes: N particles, 10 noise numbers, 9 conditions, Z latents, K cells = nx ny. O2 scales its
inputs by a file and truncates exp(v) - 1 to whole photons (readers/o2.py). Our generators take
physical units, so the file holds means 0 and scales 1, which loses no bit; the scale of the charge
is 3, because O2 counts it in thirds of e. Counts are drawn inside the graph, which leaves the
truncation nothing to cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from caloforge.errors import UsageError
from caloforge.export import classifier
from caloforge.export.bundle import Contents, generator_bytes, require_latents
from caloforge.export.drawing import FLOAT, draw
from caloforge.export.options import Options
from caloforge.export.tape import Output, Ports, Tape, Value, model_bytes, wrap
from caloforge.readers.o2 import CHARGE, FILES, LATENTS, SHAPES
from caloforge.readers.o2_scales import CONDITIONS, Scales
from caloforge.simulator import Simulator
from caloforge.simulator.onnx_safety import NEWEST_OPSET

OFFSET = 0.01
SLOPE = 4e-6
"""What is added to a count, absolutely and relatively: more than float32 loses in ln and exp."""
BOUNDED = ("Energy", "mass", "charge")
"""Conditions kept in their training range; the others give the direction and stay as they are."""
PARAMETERS = {"alice_zn": "Neutron", "alice_zp": "Proton"}


def adapt(simulator: Simulator, options: Options) -> Contents:
    """The four files of O2; without showers the classifier lets every particle pass.

    Raises UsageError for another detector and for a generator of more than 10 latents.
    """
    detector = simulator.detector
    if detector.name not in SHAPES or detector.layers[0].shape != SHAPES[detector.name]:
        known = ", ".join(SHAPES)
        raise UsageError(f"O2 has no fast simulation of {detector.name}; it has {known}")
    require_latents(simulator, LATENTS, "O2")
    hit = None
    if options.showers is not None:
        table = classifier.read_table(options.showers, detector)
        hit = classifier.train(table, seed=options.seed)
    text = identity_scales().text().encode("ascii")
    files = dict(zip(FILES, (generator_graph(simulator), text, hit_graph(hit), text), strict=True))
    asked = simulator.reference.conditions.astype(np.float64)
    facts: dict[str, Any] = {
        "classifier": hit.record() if hit else {"kind": "always"},
        "reference_hits": (hit.hits(asked) if hit else np.ones(len(asked), bool)).tolist(),
    }
    paste = command_line(detector.name)
    return Contents(files, facts, readme(detector.name, paste, facts["classifier"]), paste)


def identity_scales() -> Scales:
    """Means and scales that hand the graph physical conditions, the charge in units of e."""
    scales = np.ones(CONDITIONS, dtype=np.float32)
    scales[CHARGE] = 3
    return Scales(np.zeros(CONDITIONS, dtype=np.float32), scales)


def generator_graph(simulator: Simulator) -> bytes:
    """Noise (N, 10) and particle (N, 9) in, ln(1 + photons) out as O2 addresses it.  (N, ny, nx)"""
    nx, ny = simulator.detector.layers[0].shape
    low, high = bounds(simulator)

    def before(noise: Value, particle: Value) -> tuple[Value, Value]:
        latents = noise.columns(0, simulator.latent_size)
        return latents, particle.at_least(low).at_most(high)

    def after(rates: Value, *_: Value) -> Value:
        values = draw(rates, simulator.sampling, encoded).reshape(-1, nx, ny)
        return values.tape.apply("Transpose", values, perm=[0, 2, 1])

    inputs: Ports = {"noise": ["batch", LATENTS], "particle": ["batch", CONDITIONS]}
    output = Output("log_photons", ["batch", ny, nx])
    return wrap(generator_bytes(simulator), inputs, output, before, after)


def encoded(counts: Value) -> Value:
    """The ln(1 + photons) of whole photons that truncation leaves whole."""
    return counts.tape.log(counts * (1 + SLOPE) + (1 + OFFSET))


def bounds(simulator: Simulator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest value of each condition that reaches the generator.  (9,), (9,)"""
    high = np.full(CONDITIONS, np.finfo(np.float32).max)
    low = -high
    for name in BOUNDED:
        column = simulator.detector.column(name)
        low[column], high[column] = simulator.card.training_ranges[name]
    return low.astype(np.float32), high.astype(np.float32)


def hit_graph(hit: classifier.HitClassifier | None) -> bytes:
    """Particle (N, 9) in; 1 where the generator is to run, else 0, out.  (N, 1)"""
    tape = Tape("hit")
    particle = Value("particle", tape)
    chosen = passes(particle, hit) if hit else abs(particle.columns(0, 1)) > -1.0
    tape.rename(tape.apply("Cast", chosen, to=FLOAT), "hit")
    opsets = [helper.make_opsetid("", NEWEST_OPSET)]
    inputs: Ports = {"particle": ["batch", CONDITIONS]}
    return model_bytes(tape.nodes, tape.constants, inputs, Output("hit", ["batch", 1]), opsets)


def passes(particle: Value, hit: classifier.HitClassifier) -> Value:
    """Whether the impact point is one that can give light.  (N, 1)"""
    columns = {
        name: particle.columns(number, number + 1)
        for number, name in enumerate(hit.detector.columns)
    }
    chosen = abs(particle.columns(0, 1)) > -1.0
    for feature in hit.features:
        low, high = hit.ranges_cm[feature.name]
        place = feature.value(particle.tape, *(columns[name] for name in feature.of))
        chosen = chosen & (place > low) & (place < high)
    return chosen


def command_line(detector: str) -> str:
    """The o2-sim command that uses a bundle."""
    which = PARAMETERS[detector]
    keys = {
        "useZDCFastSim": "true",
        "ZDCFastSimClassifierPath": "$BUNDLE/classifier.onnx",
        "ZDCFastSimClassifierScales": "$BUNDLE/classifier_scales.txt",
        f"ZDCFastSimModelPath{which}": "$BUNDLE/generator.onnx",
        f"ZDCFastSimModelScales{which}": "$BUNDLE/scales.txt",
    }
    settings = ";".join(f"ZDCSimParam.{key}={value}" for key, value in keys.items())
    return f'o2-sim --configKeyValues "{settings};SimCutParams.maxAbsZTracking=1200"'


def readme(detector: str, paste: str, hits: Mapping[str, Any]) -> str:
    """What to paste, and what to know."""
    lost = f", loses {hits['lost_light']:.3%} of the light" if "lost_light" in hits else " on"
    return README.format(detector=detector, paste=paste, classifier=f"{hits['kind']}{lost}")


README = """# {detector} for AliceO2

    BUNDLE=$PWD
    {paste}

`maxAbsZTracking` stops transport before the ZDC; without it hits of full simulation are added.

- `caloforge check .` repeats what O2 does and compares with the native model.
- Hit classifier: {classifier}. O2 has one for both detectors: this one knows {detector} only.
- Counts are drawn inside the graph; O2's truncation takes nothing from them. Neither O2's noise nor
  the graph's can be seeded: productions do not repeat number by number.
- Energy, mass and charge are kept in the training range (`bundle.json`).
- Opset 17, IR 8: onnxruntime 1.16 or later.
"""

__all__ = ["adapt", "generator_graph", "hit_graph", "identity_scales"]
