"""What the analyses compute, on arrays of events in memory: pure functions without any I/O."""
