"""One folder per provider behind one port."""
