"""DepthSim: endoscopy frames with exact depth from CT colonography or generated colons."""
