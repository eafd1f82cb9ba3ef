"""Instruments and implants as closed surfaces: parametric shapes, mesh files, and exact lengths of rays in them."""
