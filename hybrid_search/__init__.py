"""A search engine for advertising assets: exact words, meaning and likeness, Korean and English."""

from importlib.metadata import version

__version__ = version("hybrid_search")
