"""Light in a volume: free-flight tracking, the path tracer, and the exact depth that goes with its images."""
