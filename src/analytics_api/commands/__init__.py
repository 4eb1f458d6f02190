"""The commands of `analytics-api`, each in a module that is imported when it is called."""
