"""The sections of DepthSim's panel."""
