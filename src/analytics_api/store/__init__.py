"""The only room that writes rows: the log, its readers, people, rollups and everything else kept in PostgreSQL."""
