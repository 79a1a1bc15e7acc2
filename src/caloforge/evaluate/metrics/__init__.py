"""Metrics of generated against real showers, a module a family.

A family of paired metrics has a function ``metrics(detector, channels)`` that lists them; a family
of two-sample metrics has a function ``results(samples)`` that computes them.
"""
