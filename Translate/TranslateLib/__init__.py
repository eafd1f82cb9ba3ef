"""Laparoscopic scenes from a segmented abdomen, and what translates their frames; simulator and models are to come."""
