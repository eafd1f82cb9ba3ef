"""DepthSim's things in a scene: colon, endoscope, pictures and surfaces. Slicer and VTK, no Qt."""
