"""Copy and queries into terms: pure functions over text."""
