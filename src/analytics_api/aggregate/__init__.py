"""Stage 3b: the reader that counts the log into rollups, and the closing of days."""
