"""Alerts: rules over the database, evaluated every minute, and the channels over which people are told."""
