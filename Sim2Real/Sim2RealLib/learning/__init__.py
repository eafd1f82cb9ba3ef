"""Training networks by recipe, and the weights that come of it: what all tasks share."""
