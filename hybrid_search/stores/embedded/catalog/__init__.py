"""The catalog and the query log in SQLite."""
