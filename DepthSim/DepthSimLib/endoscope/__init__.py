"""The endoscope: its camera, lights and sensor, and where it goes."""
