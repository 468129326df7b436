"""The ports' implementations: one library each, none knowing another."""
