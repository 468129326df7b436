"""Embedding models, and the encoding of pictures, texts and queries with them."""
