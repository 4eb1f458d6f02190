"""`python -m analytics_api` is the `analytics-api` command."""

from analytics_api.cli import main

main()
