"""Stage 1: events come in over HTTP, are checked, cleaned and written to the log before they are acknowledged."""
