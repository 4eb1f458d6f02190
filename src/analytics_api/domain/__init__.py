"""Pure words of the product: events, identity, time, money. No I/O and no framework."""
