"""steerkit: does a trait vector from a base model still steer the models trained from it?"""

__version__ = "0.1.0"
__all__ = ["__version__"]
