"""The indexing pipeline."""
