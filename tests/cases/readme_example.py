from caloforge import Simulator, read

real = read("showers.h5")  # cells, conditions and particle numbers, validated
simulator = Simulator.load("runs/first/simulator")  # no torch
counts = simulator.generate(real.conditions, seed=1)  # (N, cells) uint16, unbiased rounding
channels = real.detector.read_out(counts, "paper-zn")  # (N, 5); every scheme has a name
