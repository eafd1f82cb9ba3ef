"""Variants of an anatomy: bones moved, tissue deformed, densities changed, with labels that stay exact."""
