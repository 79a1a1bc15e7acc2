"""A simulator as a model repository of NVIDIA's Triton inference server.

Shapes: N showers, Z latents, C conditions, K cells. Clients send standard normal latents and
physical conditions; they get showers: counts are drawn inside the graph.
"""

from __future__ import annotations

from caloforge.export.bundle import Contents, generator_bytes
from caloforge.export.drawing import draw
from caloforge.export.options import Options
from caloforge.export.tape import Output, Ports, Value, wrap
from caloforge.readers.triton import CONFIG, INPUTS, MODEL, OUTPUT
from caloforge.simulator import Simulator

LARGEST_BATCH = 256


def adapt(simulator: Simulator, options: Options) -> Contents:
    """The repository of one model."""
    del options
    name = f"caloforge_{simulator.detector.name}"
    files = {
        f"{name}/{MODEL}": graph(simulator),
        f"{name}/{CONFIG}": configuration(simulator, name).encode("ascii"),
    }
    paste = "tritonserver --model-repository=$PWD"
    return Contents(files, {"model": name}, README.format(paste=paste), paste)


def graph(simulator: Simulator) -> bytes:
    """Latents (N, Z) and physical conditions (N, C) in, showers out.  (N, K)"""
    detector = simulator.detector

    def before(noise: Value, particle: Value) -> tuple[Value, Value]:
        return noise.tape.apply("Identity", noise), particle

    def after(cells: Value, *_: Value) -> Value:
        if simulator.sampling == "continuous":
            return cells
        return draw(cells, simulator.sampling, lambda counts: counts)

    sizes = (simulator.latent_size, len(detector.columns))
    inputs: Ports = {name: ["batch", size] for name, size in zip(INPUTS, sizes, strict=True)}
    output = Output(OUTPUT, ["batch", detector.cells])
    return wrap(generator_bytes(simulator), inputs, output, before, after)


def configuration(simulator: Simulator, name: str) -> str:
    """The text of config.pbtxt."""
    sizes = (simulator.latent_size, len(simulator.detector.columns), simulator.detector.cells)
    ports = [
        PORT.format(name=port, size=size)
        for port, size in zip((*INPUTS, OUTPUT), sizes, strict=True)
    ]
    return TEXT.format(
        name=name, batch=LARGEST_BATCH, inputs=",\n".join(ports[:2]), output=ports[2]
    )


PORT = '  {{ name: "{name}" data_type: TYPE_FP32 dims: [ {size} ] }}'
TEXT = """name: "{name}"
platform: "onnxruntime_onnx"
max_batch_size: {batch}
input [
{inputs}
]
output [
{output}
]
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
dynamic_batching {{ }}
"""
README = """# Triton

    {paste}

Send `noise` (standard normal) and `particle` (conditions in physical units, order in
`bundle.json`); `cells` are showers, flat, in the order of the detector's layers. For a GPU change
`KIND_CPU` to `KIND_GPU`.
"""

__all__ = ["adapt", "configuration", "graph"]
