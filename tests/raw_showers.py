"""Showers files of any detector by plain h5py, never by our writer."""

import h5py
import numpy as np


def write_showers(path, detector, cells, conditions, particle, pdg=None, **attributes):
    """Cells (N, K), conditions (N, C), particle numbers and species (N,) -> the path."""
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["version"] = "caloforge-showers", 1
        file.attrs["detector"] = detector.model_dump_json()
        file.attrs["detector_hash"] = detector.fingerprint
        file.attrs["columns"] = list(detector.columns)
        file.attrs["units"] = [condition.unit for condition in detector.conditions]
        file.attrs.update(attributes)
        edges = np.cumsum([layer.cells for layer in detector.layers])[:-1]
        for layer, part in zip(detector.layers, np.split(cells, edges, axis=1), strict=True):
            file[f"showers/{layer.name}"] = part.reshape(-1, *layer.shape)
        file["conditions"], file["particle"] = conditions, particle
        if pdg is not None:
            file["pdg"] = np.full(len(cells), pdg, dtype=np.int32)
    return path
