"""Whether an O2 bundle gives, through O2's reader, the light of the native model.

Shapes: n reference particles (16), R repeats, K fibres. The bundle keeps sixteen latents and
conditions with the native model's expected counts; for each of them the reader is run R times,
since counts are drawn anew each time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.readers.bundle import Bundle
from caloforge.readers.how import How
from caloforge.readers.o2 import FILES, SECTORS, O2Reader, Response, raw_input
from caloforge.readers.o2_native import full_noise, native_reader
from caloforge.readers.verdict import LARGEST_PULL, Finding, Verdict, means_agree
from caloforge.simulator.reference import Reference

SCHEME = "o2"
ENOUGH = 5.0
"""Photons, over all repeats, from which a fibre takes part in the comparison of images."""
LARGEST_LOSS = 1e-3


@dataclass(frozen=True)
class Observed:
    """What the reader made of each reference particle, many times."""

    simulated: NDArray[np.bool_]
    """(n,)"""
    photons: NDArray[np.int64]
    """(n, R, K)"""
    sectors: NDArray[np.int64]
    """(n, R, 5)"""


def check(bundle: Bundle, how: How) -> Verdict:
    """Compare with the stored answers, by the emulator and, if asked for, by the C++ program.

    Raises DataError for a bundle that O2 cannot use.
    """
    detector = bundle.card.detector
    for name in FILES:
        bundle.file(name)
    reader = O2Reader(bundle.folder, detector.name)
    reference = bundle.reference()
    bundle.require_checksums()
    started = time.perf_counter()
    raw, noise = repeated(reference, how.repeats)
    responses = [reader.respond(*row) for row in zip(raw, noise, strict=True)]
    seconds = (time.perf_counter() - started) / len(raw)
    findings = compare(bundle, reference, gathered(responses, len(reference.latent)), "emulator")
    findings.append(classifier_loss(bundle))
    if how.native:
        with native_reader(how.library) as program:
            answers = program.respond(bundle.folder, detector.name, raw, noise)
            observed = gathered(answers, len(reference.latent))
            findings += compare(bundle, reference, observed, program.library.name)
    text = f"{1e6 * seconds:.0f} us a particle, Python included"
    findings.append(Finding("time", True, text, {"microseconds": 1e6 * seconds}))
    return Verdict("o2", tuple(findings))


def repeated(reference: Reference, repeats: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Each reference particle R times in a row, in O2's units.  (n R, 9), (n R, 10)"""
    raw, noise = raw_input(reference.conditions), full_noise(reference.latent)
    return raw.repeat(repeats, axis=0), noise.repeat(repeats, axis=0)


def gathered(responses: list[Response], particles: int) -> Observed:
    """Responses by particle and repeat."""
    if not responses or len(responses) % particles:
        raise DataError(f"the reader gave {len(responses)} answers for {particles} particles")
    simulated = np.array([response.simulated for response in responses]).reshape(particles, -1)
    photons = np.stack([response.photons.ravel() for response in responses])
    sectors = np.stack([response.sectors for response in responses])
    shape = (particles, len(responses) // particles, -1)
    return Observed(
        np.asarray(simulated.all(axis=1)),
        photons.reshape(shape),
        sectors.reshape(shape),
    )


def compare(bundle: Bundle, reference: Reference, observed: Observed, reader: str) -> list[Finding]:
    """Classifier, channel means, and the image fibre by fibre."""
    wanted = np.array(bundle.card.reader.get("reference_hits", ()), dtype=bool)
    if wanted.shape != observed.simulated.shape:
        raise DataError(f"{bundle.folder}: the card does not say which reference particles hit")
    same = int((wanted == observed.simulated).sum())
    text = f"{same} of {len(wanted)} reference particles as when exported"
    hits = Finding(f"{reader}: classifier", same == len(wanted), text, {"agree": same})
    if not (both := wanted & observed.simulated).any():
        return [hits, Finding(f"{reader}: channels", False, "no particle gives light", {})]
    expected = reference.response[both].astype(np.float64)
    channels = compare_channels(bundle, expected, observed.sectors[both], reader)
    return [hits, channels, compare_images(bundle, expected, observed.photons[both], reader)]


def compare_channels(
    bundle: Bundle, expected: NDArray[np.float64], sectors: NDArray[np.int64], reader: str
) -> Finding:
    """Mean light of the sectors, against the native model's by our own scheme."""
    detector = bundle.card.detector
    labels = detector.scheme(SCHEME).labels
    order = [labels.index(sector) for sector in SECTORS]
    native = detector.read_out(expected, SCHEME)[:, order].mean(axis=0)
    variance = VARIANCES[bundle.card.sampling](expected)
    error = np.sqrt(detector.read_out(variance, SCHEME)[:, order].sum(axis=0) / sectors.shape[1])
    what = f"{reader}: mean of channels ({SCHEME})"
    found = sectors.mean(axis=(0, 1))
    return means_agree(what, SECTORS, found, native, error / len(expected))


def compare_images(
    bundle: Bundle, expected: NDArray[np.float64], photons: NDArray[np.int64], reader: str
) -> Finding:
    """Chi square of the summed image: a transposed or shifted one has an enormous one."""
    repeats = photons.shape[1]
    variance = VARIANCES[bundle.card.sampling](expected).sum(axis=0) * repeats
    used = variance >= ENOUGH
    if not used.any():
        return Finding(f"{reader}: image", True, "too little light to compare fibres", {})
    difference = photons.sum(axis=(0, 1)) - repeats * expected.sum(axis=0)
    squares = float((difference[used] ** 2 / variance[used]).sum())
    count = int(used.sum())
    pull = (squares - count) / float(np.sqrt((2 + 1 / variance[used]).sum()))
    text = f"chi square {squares:.0f} of {count} fibres ({pull:+.1f} sigma)"
    values = {"chi_square": squares, "fibres": count}
    return Finding(f"{reader}: image", pull <= LARGEST_PULL, text, values)


VARIANCES = {
    "poisson": lambda rates: rates,
    "rounding": lambda rates: (rates % 1) * (1 - rates % 1),
}
"""Variance of a drawn count, by the law that draws it."""


def classifier_loss(bundle: Bundle) -> Finding:
    """What the classifier lost on particles that it was not made from."""
    facts = bundle.card.reader.get("classifier", {})
    lost = float(facts.get("lost_light", 0.0))
    text = f"{facts.get('kind')}, loses {lost:.3%} of the light of particles not used for it"
    return Finding("hit classifier", lost < LARGEST_LOSS, text, {"lost_light": lost})


__all__ = ["Observed", "check", "compare", "gathered", "repeated"]
