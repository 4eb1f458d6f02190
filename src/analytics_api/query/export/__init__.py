"""Events to take away, and any answer as a table."""
