"""Figures from rollups: the SQL of every metric, one module per family, and what is stored of closed buckets."""
