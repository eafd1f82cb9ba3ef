"""What a detector makes of the photons that reach it: one effect a file, put together in `chain`."""
