"""The road in: rows -> checked pictures -> embeddings -> catalog -> indexes.

A batch is embedded first, then stored in one transaction, then acknowledged; the indexes
follow. Whatever is killed in between, nothing acknowledged is lost and nothing is half there:
the next start replays what the indexes lack.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hybrid_search.copy_vectors import CopyVectors
from hybrid_search.errors import InvalidAsset, InvalidInput
from hybrid_search.fields import Fields
from hybrid_search.following import LexicalFollower, VectorFollower
from hybrid_search.images import CheckedPicture, PictureLimits, check_picture, digest_of
from hybrid_search.manifests import Row, Skipped
from hybrid_search.ports import Catalog, Draft, Embedder, PictureStore
from hybrid_search.records import Asset, AssetId, Digest
from hybrid_search.wire.answers import IngestReportJson
from hybrid_search.wire.assets import asset_to_stored


@dataclass(slots=True)
class IngestReport:
    """What became of each row."""

    indexed: int = 0
    """New assets."""
    unchanged: int = 0
    """Assets whose content was stored already."""
    updated: int = 0
    """Assets that replaced an earlier version."""
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All rows that were seen."""
        return self.indexed + self.unchanged + self.updated + len(self.skipped)

    def add(self, other: IngestReport) -> None:
        """Count the rows of another report too."""
        self.indexed += other.indexed
        self.unchanged += other.unchanged
        self.updated += other.updated
        self.skipped += other.skipped

    def as_json(self) -> IngestReportJson:
        """The report as a JSON object."""
        return {
            "indexed": self.indexed,
            "unchanged": self.unchanged,
            "updated": self.updated,
            "skipped": [{"id": part.id, "reason": part.reason} for part in self.skipped],
        }


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A row whose bytes were read and hashed."""

    asset: Asset
    data: bytes | None
    content: Digest


class Indexer:
    """The one writer: stores assets and deletions and brings the indexes up to them."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        pictures: PictureStore,
        embedder: Embedder,
        followers: Sequence[LexicalFollower | VectorFollower],
        limits: PictureLimits,
        fields: Fields,
        copy: CopyVectors | None = None,
        written: Callable[[], None] = lambda: None,
        batch_size: int = 128,
        workers: int = 2,
    ) -> None:
        """``copy`` embeds what comes in; ``written`` is called after writes the indexes have."""
        self._catalog = catalog
        self._pictures = pictures
        self._embedder = embedder
        self._followers = followers
        self._limits = limits
        self._fields = fields
        self._copy = copy
        self._written = written
        self._batch_size = batch_size
        self._decoders = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._writing = threading.Lock()

    def ingest(
        self,
        rows: Iterable[Row | Skipped],
        progress: Callable[[IngestReport], None] | None = None,
    ) -> IngestReport:
        """What became of each row; all that is counted is durable and searchable.

        Of rows with the same id the first counts. ``progress`` is told after each batch.
        """
        report = IngestReport()
        seen: set[AssetId] = set()
        for batch in _batches(rows, self._batch_size):
            with self._writing:
                self._store(list(_unique(batch, seen, report)), report)
            if progress is not None:
                progress(report)
        return report

    def delete(self, ids: Sequence[AssetId]) -> list[AssetId]:
        """The ids that were live and are now gone, from every index."""
        with self._writing:
            deleted = self._catalog.delete(ids)
            self.catch_up()
            self._written()
        return deleted

    def catch_up(self) -> None:
        """Bring all indexes to the catalog's last operation."""
        for follower in self._followers:
            follower.catch_up()

    def close(self) -> None:
        """Stop the decoding threads."""
        self._decoders.shutdown()

    def _store(self, rows: list[Row], report: IngestReport) -> None:
        arrivals = [arrival for row in rows if (arrival := self._arrive(row, report)) is not None]
        known = self._catalog.contents([arrival.asset.id for arrival in arrivals])
        changed = [a for a in arrivals if known.get(a.asset.id) != a.content]
        report.unchanged += len(arrivals) - len(changed)
        drafts = self._drafts(changed, report)
        if not drafts:
            return
        if self._copy is not None:
            self._copy.embed({draft.content: draft.asset for draft in drafts})
        self._catalog.put(drafts)
        self.catch_up()
        self._written()
        updated = sum(draft.asset.id in known for draft in drafts)
        report.updated += updated
        report.indexed += len(drafts) - updated

    def _arrive(self, row: Row, report: IngestReport) -> _Arrival | None:
        """The row, typed, with its picture's bytes read; ``None``, reported, where that fails."""
        try:
            asset = self._fields.typed(row.asset)
            data = None if row.picture is None else row.picture()
        except InvalidAsset as failure:
            report.skipped.append(Skipped(row.asset.id, str(failure)))
            return None
        except OSError as failure:
            report.skipped.append(Skipped(row.asset.id, f"image: cannot be read, {failure}"))
            return None
        if data is None and not self._fields.copy_of(asset):
            report.skipped.append(Skipped(asset.id, "neither an image nor any copy"))
            return None
        picture = b"" if data is None else digest_of(data).encode()
        return _Arrival(asset, data, digest_of(asset_to_stored(asset) + b"\x00" + picture))

    def _drafts(self, arrivals: list[_Arrival], report: IngestReport) -> list[Draft]:
        """What can be stored: pictures checked, kept and embedded."""
        checked = list(self._decoders.map(self._check, arrivals))
        drafts, pictures = [], {}
        for arrival, outcome in zip(arrivals, checked, strict=True):
            if isinstance(outcome, InvalidInput):
                report.skipped.append(Skipped(arrival.asset.id, str(outcome)))
                continue
            facts = None if outcome is None else outcome.facts
            drafts.append(Draft(arrival.asset, facts, arrival.content))
            if outcome is not None and arrival.data is not None:
                pictures[outcome.facts.digest] = outcome
                self._pictures.put(outcome.facts.digest, arrival.data)
        self._embed(pictures)
        return drafts

    def _check(self, arrival: _Arrival) -> CheckedPicture | InvalidInput | None:
        if arrival.data is None:
            return None
        try:
            return check_picture(arrival.data, self._limits)
        except InvalidInput as failure:
            return failure

    def _embed(self, pictures: dict[Digest, CheckedPicture]) -> None:
        """Embed the pictures that have no vector yet; equal bytes are embedded once."""
        if not pictures:
            return
        model = self._embedder.facts.key
        missing = sorted(set(pictures) - set(self._catalog.embeddings(model, list(pictures))))
        if missing:
            rows = self._embedder.pictures([pictures[digest].rgb for digest in missing])
            self._catalog.store_embeddings(model, dict(zip(missing, rows, strict=True)))


def embed_missing(
    catalog: Catalog,
    pictures: PictureStore,
    embedder: Embedder,
    limits: PictureLimits,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Give every live picture a vector of this model, ``progress(done, all)`` on the way."""
    model = embedder.facts.key
    missing = list(catalog.unembedded(model))
    for start in range(0, len(missing), 64):
        batch = missing[start : start + 64]
        checked = [check_picture(pictures.read(digest), limits).rgb for digest in batch]
        vectors = embedder.pictures(checked)
        catalog.store_embeddings(model, dict(zip(batch, vectors, strict=True)))
        if progress is not None:
            progress(start + len(batch), len(missing))


def _batches(rows: Iterable[Row | Skipped], size: int) -> Iterator[list[Row | Skipped]]:
    batch: list[Row | Skipped] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def _unique(batch: list[Row | Skipped], seen: set[AssetId], report: IngestReport) -> Iterator[Row]:
    """The rows whose id is new in this run; the others are reported."""
    for row in batch:
        if isinstance(row, Skipped):
            report.skipped.append(row)
        elif row.asset.id in seen:
            report.skipped.append(Skipped(row.asset.id, "id: already given by an earlier row"))
        else:
            seen.add(row.asset.id)
            yield row
