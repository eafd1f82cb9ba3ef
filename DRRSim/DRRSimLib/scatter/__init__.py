"""How much scattered radiation a view has: one interface, several ways to estimate it."""

ESTIMATORS = "none", "network", "smoothed_monte_carlo", "monte_carlo"
"""By their names in recipes, from the quickest to the slowest."""
