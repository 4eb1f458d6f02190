"""Version of the distribution analytics-api-client."""

__version__ = "0.1.0"
