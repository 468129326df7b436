"""Embedding models, and what encodes with them."""
