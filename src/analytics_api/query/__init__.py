"""Reads figures: request, plan, SQL, result. Never writes."""
