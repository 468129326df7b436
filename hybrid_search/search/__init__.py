"""The query pipeline."""
