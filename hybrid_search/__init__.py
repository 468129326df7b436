"""A search engine for advertising assets: exact words, meaning and likeness, Korean and English."""
