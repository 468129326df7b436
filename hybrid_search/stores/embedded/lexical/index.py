"""The inverted index: two views of the copy, filters, and a watermark, in one Tantivy folder."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tantivy
from cachetools import LRUCache

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.analysis.highlighter import Highlighter
from hybrid_search.analysis.query_parser import Clause, ParsedQuery
from hybrid_search.analysis.synonyms import NoSynonyms, Synonyms
from hybrid_search.core import Asset, Filter, Ordinal, Span, StoredAsset
from hybrid_search.core.errors import (
    EngineFailure,
    IndexCorrupt,
    IndexLocked,
    IndexMismatch,
    IndexMissing,
    SearchError,
    StorageFull,
    is_full,
)
from hybrid_search.core.field_schema import UNDECLARED, Fields, changes, read_fields
from hybrid_search.core.ports import Completion, FacetBucket, LexicalMatches, Ordinals
from hybrid_search.files.atomic_files import check_room, make_folder, sync, write_whole
from hybrid_search.stores.embedded.lexical.collector import appended, best_matches, ordinals_at
from hybrid_search.stores.embedded.lexical.documents import new_document, new_schema
from hybrid_search.stores.embedded.lexical.facets import count_values
from hybrid_search.stores.embedded.lexical.integrity import check_files, forget, write_down
from hybrid_search.stores.embedded.lexical.suggester import Suggestions
from hybrid_search.stores.embedded.lexical.tree_queries import QueryCompiler

MAX_LIMIT = 10_000
FEW = 20
"""Matches from which on nobody needs words that only hold a wanted one."""
MAX_TYPED = 100
"""Characters that are completed."""
_HEAP = 64 << 20
_LEAST_MB = 1
"""Free space below which a failure to write is put down to the disk."""
_ANALYZER, _FIELDS, _META = "analyzer.txt", "fields.json", "meta.json"


@contextmanager
def _translated() -> Iterator[None]:
    """Map what Tantivy raises, its panics included, which are no ``Exception``."""
    try:
        yield
    except (SearchError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as failure:
        if "LockBusy" in str(failure):
            raise IndexLocked(f"lexical: another process writes to the index: {failure}") from None
        if is_full(failure):
            raise StorageFull(
                f"lexical: no space left; free some and try again: {failure}"
            ) from None
        raise EngineFailure(f"tantivy: {type(failure).__name__}: {failure}") from failure


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What a search sees from begin to end: one commit, and what was worked out about it."""

    watermark: int
    compiler: QueryCompiler
    suggestions: Suggestions
    allowed: LRUCache[str, Ordinals] = field(default_factory=lambda: LRUCache(64))


class TantivyIndex:
    """A ``LexicalIndex`` over one folder: any number of readers, one writer."""

    def __init__(
        self,
        folder: Path,
        analyzer: Analyzer,
        *,
        fields: Fields | None = None,
        synonyms: Synonyms | None = None,
        read_only: bool = False,
        checked: bool = False,
    ) -> None:
        """Open the folder, creating the index unless ``read_only``.

        Raises ``IndexMissing``, ``IndexLocked``, ``IndexMismatch`` when another analyser or
        other fields built it, and ``IndexCorrupt`` for one that cannot be opened; if it is to be
        ``checked``, for any file that is not as it was written.
        """
        self._folder = folder
        self._analyzer = analyzer
        self._fields = fields or UNDECLARED
        self._synonyms = synonyms or NoSynonyms()
        self._highlighter = Highlighter(analyzer, self._synonyms)
        self._schema = new_schema()
        self._guard = threading.Lock()
        self._read_only = read_only
        self._writer: tantivy.IndexWriter | None = None
        self._mirror: tempfile.TemporaryDirectory[str] | None = None
        if checked and (folder / _META).is_file():
            check_files(folder, alone=not read_only)
        self._check_built_by()
        self._index = self._opened()
        if not read_only:
            with _translated():
                self._writer = self._open_writer()

    # ------------------------------------------------------------------------------ writes

    def add(self, entries: Iterable[StoredAsset]) -> None:
        """Index these versions; those that are there already are replaced."""
        fresh = list(entries)
        self.remove(stored.ordinal for stored in fresh)
        for stored in fresh:
            document = new_document(stored, self._analyzer, self._fields)
            with self._writing() as writer:
                writer.add_document(document)

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        """Forget these versions; unknown ones are no error."""
        gone = list(ordinals)
        if not gone:
            return
        # By query: a deletion by term takes a Python number for signed and finds nothing.
        query = tantivy.Query.term_set_query(self._schema, "ordinal", gone)
        with self._writing() as writer:
            writer.delete_documents_by_query(query)

    def commit(self, watermark: int) -> None:
        """Make all since the last commit visible and durable, and remember the watermark."""
        mark = tantivy.Document()
        mark.add_text("watermark", "at")
        mark.add_text("watermark", str(watermark))
        with self._writing() as writer:
            writer.delete_documents_by_term("watermark", "at")
            writer.add_document(mark)
            writer.commit()
            # Tantivy syncs the folder before it renames the new list of segments, not after.
            sync(self._folder)
            self.refresh()
            # After a failed write later commits may succeed and store nothing.
            if self.watermark != watermark:
                raise EngineFailure(f"tantivy: committed {watermark}, found {self.watermark}")

    def close(self) -> None:
        """Finish background merges, write down what the files are, and release them."""
        if self._writer is not None:
            with _translated():
                self._writer.wait_merging_threads()
            self._writer = None
            # Without it, the next start looks at each segment's checksum instead.
            with suppress(StorageFull, EngineFailure):
                write_down(self._folder)
        if self._mirror is not None:
            self._mirror.cleanup()

    # ------------------------------------------------------------------------------- reads

    @property
    def watermark(self) -> int:
        """The watermark of the commit that searches see; 0 for a new index."""
        return self._snapshot.watermark

    @property
    def fingerprint(self) -> str:
        """Names the analyser (name, version, user words) that this index is built with."""
        return self._analyzer.fingerprint

    def words(
        self,
        query: ParsedQuery,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
        *,
        require_all: bool = False,
    ) -> LexicalMatches:
        """The assets that match the query's words and operators.

        First those of which a name is what was asked, then those that hold the larger share of
        its information; among equals BM25 decides. When few match, those follow in which a word
        begins with a wanted one or holds it, which counts half. ``require_all`` keeps to assets
        that match every word.
        """
        compiler = self._snapshot.compiler
        with _translated():
            asked = compiler.words(query, require_all=require_all)
            found = asked.read(self._run(compiler, asked.asked, limit, where, among))
            if found.total >= min(limit, FEW):
                return found
            wide = compiler.words(query, require_all=require_all, widen=True)
            more = wide.read(self._run(compiler, wide.asked, limit, where, among))
        return appended(found, more, limit)

    def phrase(
        self,
        phrase: str,
        limit: int,
        where: Filter | None = None,
        among: Sequence[Ordinal] | None = None,
    ) -> LexicalMatches:
        """The assets that contain the phrase; written with the same spacing before the rest.

        Inside either group the BM25 score of the phrase decides.
        """
        compiler = self._snapshot.compiler
        with _translated():
            return self._run(compiler, compiler.phrase(phrase), limit, where, among)

    def allowed(self, query: ParsedQuery | None, where: Filter | None) -> Ordinals | None:
        """The ordinals, ascending, that every list must keep to; ``None`` for no restriction."""
        snapshot = self._snapshot
        bound = (
            [] if query is None else [c for c in query.clauses if c.occur != "should" or c.field]
        )
        if where is None and not bound:
            return None
        # As text: 1, 1.0 and True are equal keys and different filters.
        key = repr((self._synonyms.version, where, bound))
        with self._guard:
            if (known := snapshot.allowed.get(key)) is not None:
                return known
        with _translated():
            asked = snapshot.compiler.binding(query, where) or tantivy.Query.empty_query()
            searcher = snapshot.compiler.searcher
            ordinals = _ordinals(searcher, asked)
        with self._guard:
            snapshot.allowed[key] = ordinals
        return ordinals

    def highlight(self, query: ParsedQuery, asset: Asset) -> tuple[Span, ...]:
        """Where the asset's copy matches, in order of field and start, without overlaps."""
        return self._highlighter.highlight(query, self._fields.searched_texts(asset))

    def facet(
        self,
        field: str,
        query: ParsedQuery,
        where: Filter | None,
        also: Sequence[Ordinal],
        limit: int,
    ) -> tuple[FacetBucket, ...]:
        """The field's values over all assets that match the words or are among ``also``."""
        compiler = self._snapshot.compiler
        with _translated():
            return count_values(compiler, field, compiler.matches(query, where, also), limit)

    def complete(self, typed: str, limit: int) -> tuple[Completion, ...]:
        """Names and words that begin as typed, those of most assets first, then by alphabet."""
        with _translated():
            return self._snapshot.suggestions.complete(typed[:MAX_TYPED], limit)

    def corrections(self, query: ParsedQuery, limit: int = 3) -> tuple[str, ...]:
        """The query with its unknown words replaced by near ones, likeliest first."""
        with _translated():
            return self._snapshot.suggestions.corrections(query, self._is_known, limit)

    def _is_known(self, word: str) -> bool:
        return self.words(ParsedQuery(word, (Clause("words", word),)), 1).total > 0

    def count(self) -> int:
        """The number of versions that a search sees."""
        snapshot = self._snapshot
        return snapshot.compiler.searcher.num_docs - (snapshot.watermark > 0)

    def refresh(self) -> None:
        """See what another process has committed."""
        with _translated():
            self._snapshot = self._seen(self._index)

    def ordinals(self) -> Ordinals:
        """All versions that a search sees, ascending."""
        searcher = self._snapshot.compiler.searcher
        mark = tantivy.Query.term_query(self._schema, "watermark", "at", "basic")
        assets = [
            (tantivy.Occur.Must, tantivy.Query.all_query()),
            (tantivy.Occur.MustNot, mark),
        ]
        with _translated():
            return _ordinals(searcher, tantivy.Query.boolean_query(assets))

    # --------------------------------------------------------------------------- machinery

    def _seen(self, index: tantivy.Index) -> _Snapshot:
        """What there is to see now."""
        index.reload()
        searcher = index.searcher()
        compiler = QueryCompiler(
            self._schema, searcher, self._analyzer, self._synonyms, self._fields
        )
        suggestions = Suggestions(self._schema, searcher)
        return _Snapshot(self._read_watermark(searcher), compiler, suggestions)

    def _opened(self) -> tantivy.Index:
        try:
            with _translated():
                index = tantivy.Index(self._schema, path=str(self._place()))
                self._snapshot = self._seen(index)
        except EngineFailure as failure:
            raise IndexCorrupt(
                f"lexical: {self._folder} cannot be opened, {failure}; run: hybrid-search repair"
            ) from failure
        return index

    def _place(self) -> Path:
        """The folder; where it cannot be written, one of links to its files.

        Readers of Tantivy lock too, by a file that they make.
        """
        if not self._read_only or os.access(self._folder, os.W_OK):
            return self._folder
        self._mirror = tempfile.TemporaryDirectory(prefix="hybrid-search-")
        for path in self._folder.iterdir():
            if path.suffix != ".lock":
                (Path(self._mirror.name) / path.name).symlink_to(path.absolute())
        return Path(self._mirror.name)

    def _check_built_by(self) -> None:
        """Refuse an index that was built otherwise; a new one remembers how it is built."""
        if (self._folder / _ANALYZER).is_file():
            self._check_analyzer((self._folder / _ANALYZER).read_text("utf-8"))
            self._check_fields(read_fields((self._folder / _FIELDS).read_text("utf-8")))
        elif self._read_only:
            raise IndexMissing(f"no lexical index at {self._folder}")
        else:
            make_folder(self._folder)
            write_whole(self._folder / _FIELDS, self._fields.fingerprint.encode())
            write_whole(self._folder / _ANALYZER, self._analyzer.fingerprint.encode())

    def _check_analyzer(self, built_by: str) -> None:
        if built_by != self._analyzer.fingerprint:
            raise IndexMismatch(
                f"lexical: the index was built by analyzer {built_by!r}, configured is"
                f" {self._analyzer.fingerprint!r}; run: hybrid-search rebuild"
            )

    def _check_fields(self, built_with: Fields) -> None:
        if built_with.fingerprint != self._fields.fingerprint:
            raise IndexMismatch(
                f"fields: declared otherwise than when the index was built,"
                f" {changes(built_with, self._fields)}; run: hybrid-search rebuild"
            )

    def _open_writer(self) -> tantivy.IndexWriter:
        forget(self._folder)
        writer = self._index.writer(_HEAP, 1)
        # What a killed writer left behind would make every later commit fail.
        writer.garbage_collect_files()
        return _with_a_first_deletion(writer)

    @contextmanager
    def _writing(self) -> Iterator[tantivy.IndexWriter]:
        """The writer; after any failure it begins anew, for it would lose what follows."""
        if self._read_only:
            raise EngineFailure("lexical: opened for reading only")
        with _translated():
            self._writer = self._writer or self._open_writer()
        try:
            with _translated():
                yield self._writer
        except BaseException as failure:
            self._begin_anew(self._writer)
            if isinstance(failure, EngineFailure):
                # A thread of Tantivy's that found no room ends without saying why.
                check_room(self._folder, _LEAST_MB)
            raise

    def _begin_anew(self, writer: tantivy.IndexWriter) -> None:
        try:
            with _translated():
                writer.rollback()
                _with_a_first_deletion(writer)
        except SearchError:
            # The next write opens another.
            self._writer = None

    def _read_watermark(self, searcher: tantivy.Searcher) -> int:
        asked = tantivy.Query.term_query(self._schema, "watermark", "at", "basic")
        hits = searcher.search(asked, 1).hits
        return int(searcher.doc(hits[0][1])["watermark"][1]) if hits else 0

    @staticmethod
    def _run(
        compiler: QueryCompiler,
        asked: tantivy.Query,
        limit: int,
        where: Filter | None,
        among: Sequence[Ordinal] | None,
    ) -> LexicalMatches:
        if limit < 1 or (among is not None and not among):
            return LexicalMatches((), (), 0)
        parts = [(tantivy.Occur.Must, asked)]
        if (restriction := compiler.binding(None, where)) is not None:
            parts.append((tantivy.Occur.Must, restriction))
        if among is not None:
            parts.append((tantivy.Occur.Must, compiler.among(among)))
        joined = asked if len(parts) == 1 else tantivy.Query.boolean_query(parts)
        return best_matches(compiler.searcher, joined, min(limit, MAX_LIMIT))


def _with_a_first_deletion(writer: tantivy.IndexWriter) -> tantivy.IndexWriter:
    """The writer; the first deletion after merges were cut can be lost, so it is one of nothing."""
    writer.delete_documents_by_term("watermark", "none")
    return writer


def _ordinals(searcher: tantivy.Searcher, asked: tantivy.Query) -> Ordinals:
    found = searcher.search(asked, max(1, searcher.num_docs), count=False)
    return np.sort(np.array(ordinals_at(searcher, found.hits), np.int64))
