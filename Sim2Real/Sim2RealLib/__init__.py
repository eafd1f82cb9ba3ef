"""What the simulators of SurgicalSim2Real share: volumes, geometry, engine, recipes, jobs, datasets, models."""

__version__ = "0.1.0"
