"""Product analysis: funnels, retention, journeys and trends over raw events, with the people behind every number."""
