"""The database: one SQLite file, one connection, one thread."""
