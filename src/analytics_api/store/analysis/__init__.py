"""Raw events, read for analyses: which are meant, as SQL, and their columns, as arrays."""
