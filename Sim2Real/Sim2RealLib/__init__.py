"""What the simulators of SurgicalSim2Real share: volumes, geometry, engine, recipes, jobs, datasets, models."""

from .llvm import point_drjit_to_llvm

__version__ = "0.1.0"

point_drjit_to_llvm()
