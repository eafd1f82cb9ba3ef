"""How much scattered radiation a view has: one interface, several ways to estimate it."""
