"""The inverted index in Tantivy."""
