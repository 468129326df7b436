"""The catalog in SQLite: the store of record."""
