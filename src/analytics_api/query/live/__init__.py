"""What happens now: a stream of events and counters of the last half hour."""
