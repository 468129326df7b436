"""A search engine for advertising assets: exact words, meaning and likeness, Korean and English.

>>> from hybrid_search import Query
>>> Query("여름 신발", size=5).size
5

The names below are the public API; ``docs/python.md`` describes them. They are imported when they
are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybrid_search.core import (
        AllOf,
        AnyOf,
        Asset,
        Between,
        Example,
        Exists,
        Filter,
        FusionSettings,
        Hit,
        ListSettings,
        Not,
        OneOf,
        Prefix,
        Query,
        SearchResult,
        Sort,
    )
    from hybrid_search.core.errors import SearchError
    from hybrid_search.engine.factory import open_index
    from hybrid_search.engine.index import Index
    from hybrid_search.settings.settings import Settings, load_settings

_CORE = (
    *("AllOf", "AnyOf", "Asset", "Between", "Example", "Exists", "Filter", "FusionSettings"),
    *("Hit", "ListSettings", "Not", "OneOf", "Prefix", "Query", "SearchResult", "Sort"),
)
_MODULES = dict.fromkeys(_CORE, "hybrid_search.core") | {
    "Index": "hybrid_search.engine.index",
    "SearchError": "hybrid_search.core.errors",
    "Settings": "hybrid_search.settings.settings",
    "load_settings": "hybrid_search.settings.settings",
    "open_index": "hybrid_search.engine.factory",
}

__version__: str

__all__ = [
    "AllOf",
    "AnyOf",
    "Asset",
    "Between",
    "Example",
    "Exists",
    "Filter",
    "FusionSettings",
    "Hit",
    "Index",
    "ListSettings",
    "Not",
    "OneOf",
    "Prefix",
    "Query",
    "SearchError",
    "SearchResult",
    "Settings",
    "Sort",
    "load_settings",
    "open_index",
]


def __getattr__(name: str) -> object:
    """A name of the public API, or the version of the installed package."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name == "__version__":
        # This import takes a tenth of a second on a slow machine, and most commands need none.
        from importlib.metadata import version

        return version(__name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
