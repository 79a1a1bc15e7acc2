"""Materials as data: what a calorimeter is made of, independent of any engine.

Fractions are by weight, densities in g/cm3. An element is named as NIST names it in Geant4
(``G4_W``), which fixes its isotopes and mean excitation energy.
"""

from caloforge.features import Description


class Material(Description):
    """Weight fractions of elements at a density; an empty mixture is a NIST material by name."""

    name: str
    density_g_cm3: float
    fractions: tuple[tuple[str, float], ...] = ()
    elements: tuple[int, ...]
    """Atomic numbers: the data tables that the engine will open."""
    source: str


TUNGSTEN_ALLOY = Material(
    name="zn_tungsten_alloy",
    density_g_cm3=17.6,
    fractions=(("G4_W", 0.93), ("G4_Fe", 0.03), ("G4_Ni", 0.04)),
    elements=(26, 28, 74),
    source="AliceO2 Detectors/ZDC/simulation Detector.cxx; card of shared/data (W/Fe/Ni 93/3/4)",
)
TUNGSTEN = Material(
    name="G4_W", density_g_cm3=19.3, elements=(74,), source="NIST; reference block of PDG"
)
BRASS = Material(
    name="zp_brass",
    density_g_cm3=8.48,
    fractions=(("G4_Cu", 0.63), ("G4_Zn", 0.37)),
    elements=(29, 30),
    source="AliceO2 Detectors/ZDC/simulation Detector.cxx; card of shared/data (Cu63/Zn37)",
)
QUARTZ = Material(
    name="G4_SILICON_DIOXIDE", density_g_cm3=2.32, elements=(8, 14), source="NIST silica"
)
AIR = Material(name="G4_AIR", density_g_cm3=1.20479e-3, elements=(6, 7, 8, 18), source="NIST")
LEAD = Material(name="G4_Pb", density_g_cm3=11.35, elements=(82,), source="NIST")
LIQUID_ARGON = Material(name="G4_lAr", density_g_cm3=1.396, elements=(18,), source="NIST")
VACUUM = Material(
    name="G4_Galactic", density_g_cm3=1e-25, elements=(1,), source="Geant4: thin hydrogen"
)
