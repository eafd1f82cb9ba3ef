"""The sections of DRRSim's panel; they need Qt."""
