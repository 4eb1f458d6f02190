"""Delivery: every event of the log reaches every destination once, or ends with a reason."""
