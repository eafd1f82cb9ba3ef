"""Placing landmarks with the help of a template: where the rest must be, and whether what was placed makes sense."""
