"""Reports of products: one composition of the same measures for each, and their routes."""
