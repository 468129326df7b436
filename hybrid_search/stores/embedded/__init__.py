"""The store of one machine: Tantivy, Faiss and SQLite in a folder."""
