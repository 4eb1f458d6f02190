"""Alembic's revisions, shipped with the package."""
