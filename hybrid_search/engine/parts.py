"""Parts of a data folder that commands and the service open without a whole index."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hybrid_search.analysis.factory import make_analyzer
from hybrid_search.search.text_search import TextSearch
from hybrid_search.settings.settings import Settings
from hybrid_search.stores.embedded.catalog.query_log import SqliteQueryLog
from hybrid_search.stores.embedded.data_folder import CATALOG
from hybrid_search.stores.embedded.lexical.index import TantivyIndex


def open_query_log(settings: Settings, *, write: bool) -> SqliteQueryLog:
    """The query log, in the catalog's file."""
    return SqliteQueryLog(settings.data_dir / CATALOG, read_only=not write)


@contextmanager
def scratch_index(settings: Settings) -> Iterator[TextSearch]:
    """An empty lexical index with the configured analyzer, removed at the end of the context."""
    with tempfile.TemporaryDirectory() as folder:
        analyzer, fields = make_analyzer(settings), settings.declared_fields()
        with closing(TantivyIndex(Path(folder), analyzer, fields=fields)) as index:
            yield TextSearch(index, analyzer, fields)
