"""Fast calorimeter showers with conditional GANs: train, judge, ship and mass-produce them."""

__version__ = "0.1.0"

__all__ = ["__version__"]
