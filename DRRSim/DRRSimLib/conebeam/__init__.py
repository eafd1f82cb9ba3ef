"""Cone-beam CT: from the frames of a C-arm's turn back to a volume."""
