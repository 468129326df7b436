"""Judgments, measures and what they say of a configuration."""
