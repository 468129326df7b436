"""The settings: their types, limits and descriptions, and where their values come from."""
