"""Text analysis: texts and queries into index terms, and matches back into spans."""
