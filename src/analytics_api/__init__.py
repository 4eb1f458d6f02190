"""Analytics API: durable event intake, delivery to analytics providers, and metrics that explain themselves."""

__version__ = "0.1.0"
