"""What shapes the beam between the electrons in the tube and the patient, and what dose it carries."""
