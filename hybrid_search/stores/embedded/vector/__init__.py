"""Vector indexes in Faiss."""
