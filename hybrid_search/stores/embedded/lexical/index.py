"""The inverted index: views of the text, filter terms and a watermark, in one Tantivy folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import tantivy

from hybrid_search.analysis.analyzer import Analyzer
from hybrid_search.core import Ordinal, StoredAsset
from hybrid_search.core.errors import (
    EngineFailure,
    IndexCorrupt,
    IndexMismatch,
    IndexMissing,
    SearchError,
    StorageFull,
)
from hybrid_search.core.field_schema import UNDECLARED, Fields, changes, read_fields
from hybrid_search.files.atomic_files import check_room, make_folder, sync, write_atomically
from hybrid_search.stores.embedded.lexical.documents import new_document, new_schema
from hybrid_search.stores.embedded.lexical.integrity import check_files, forget, write_down
from hybrid_search.stores.embedded.lexical.snapshot import TantivySnapshot
from hybrid_search.stores.embedded.lexical.translate_errors import translated

_HEAP = 64 << 20
_LEAST_MB = 1
"""Free space below which a failure to write is put down to the disk."""
_ANALYZER, _FIELDS, _META = "analyzer.txt", "fields.json", "meta.json"


class TantivyIndex:
    """A ``LexicalIndex`` over one folder: any number of readers, one writer."""

    def __init__(
        self,
        folder: Path,
        analyzer: Analyzer,
        *,
        fields: Fields | None = None,
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
        self._schema = new_schema()
        self._read_only = read_only
        self._writer: tantivy.IndexWriter | None = None
        self._snapshot: TantivySnapshot
        self._mirror: tempfile.TemporaryDirectory[str] | None = None
        if checked and (folder / _META).is_file():
            check_files(folder, alone=not read_only)
        self._check_built_by()
        self._index = self._opened()
        if not read_only:
            with translated():
                self._writer = self._open_writer()

    # ------------------------------------------------------------------------------ writes

    def add(self, entries: Iterable[StoredAsset]) -> None:
        fresh = list(entries)
        self.remove(stored.arrival for stored in fresh)
        for stored in fresh:
            document = new_document(stored, self._analyzer, self._fields)
            with self._writing() as writer:
                writer.add_document(document)

    def remove(self, ordinals: Iterable[Ordinal]) -> None:
        gone = list(ordinals)
        if not gone:
            return
        # By query: a deletion by term takes a Python number for signed and finds nothing.
        query = tantivy.Query.term_set_query(self._schema, "ordinal", gone)
        with self._writing() as writer:
            writer.delete_documents_by_query(query)

    def commit(self, watermark: int) -> None:
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
            if (found := self._snapshot.watermark) != watermark:
                raise EngineFailure(f"tantivy: committed {watermark}, found {found}")

    def close(self) -> None:
        """Finish background merges, write down what the files are, and release them."""
        if self._writer is not None:
            with translated():
                self._writer.wait_merging_threads()
            self._writer = None
            # Without it, the next start looks at each segment's checksum instead.
            with suppress(StorageFull, EngineFailure):
                write_down(self._folder)
        if self._mirror is not None:
            self._mirror.cleanup()

    # ------------------------------------------------------------------------------- reads

    @property
    def fingerprint(self) -> str:
        return self._analyzer.fingerprint

    def snapshot(self) -> TantivySnapshot:
        return self._snapshot

    def refresh(self) -> None:
        with translated():
            fresh = self._newest(self._index)
        # What was worked out of a commit stays with its snapshot.
        if fresh.commit != self._snapshot.commit:
            self._snapshot = fresh

    # --------------------------------------------------------------------------- machinery

    def _newest(self, index: tantivy.Index) -> TantivySnapshot:
        index.reload()
        return TantivySnapshot(self._schema, index.searcher())

    def _opened(self) -> tantivy.Index:
        try:
            with translated():
                index = tantivy.Index(self._schema, path=str(self._place()))
                self._snapshot = self._newest(index)
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
            write_atomically(self._folder / _FIELDS, self._fields.fingerprint.encode())
            write_atomically(self._folder / _ANALYZER, self._analyzer.fingerprint.encode())

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
        """The writer; a new one after any failure, which would lose later writes."""
        if self._read_only:
            raise EngineFailure("lexical: opened for reading only")
        with translated():
            self._writer = self._writer or self._open_writer()
        try:
            with translated():
                yield self._writer
        except BaseException as failure:
            self._begin_anew(self._writer)
            if isinstance(failure, EngineFailure):
                # A thread of Tantivy's that found no room ends without saying why.
                check_room(self._folder, _LEAST_MB)
            raise

    def _begin_anew(self, writer: tantivy.IndexWriter) -> None:
        try:
            with translated():
                writer.rollback()
                _with_a_first_deletion(writer)
        except SearchError:
            # The next write opens another.
            self._writer = None


def _with_a_first_deletion(writer: tantivy.IndexWriter) -> tantivy.IndexWriter:
    """The writer; the first deletion after merges were cut can be lost, so it is one of nothing."""
    writer.delete_documents_by_term("watermark", "none")
    return writer
