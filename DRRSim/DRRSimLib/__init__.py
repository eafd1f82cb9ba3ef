"""X-ray images from CT with their physics and their ground truth."""
