"""Command line, demo and benchmarks: the only part that knows every simulator."""
