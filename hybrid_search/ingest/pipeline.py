"""The ingest pipeline: rows -> checked pictures -> embeddings -> catalog -> indexes.

A batch is embedded first, then stored in one transaction, then indexed, then acknowledged.
Whatever is killed in between, nothing acknowledged is lost and nothing is half there: the next
start replays what the indexes lack, and what was embedded is not embedded again.

The stages overlap: while a batch is embedded, the next ones are decoded and the one before is
stored and indexed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hybrid_search.core import Asset, AssetId, Digest, digest_of
from hybrid_search.core.asset_codec import encode_asset
from hybrid_search.core.errors import InvalidAsset
from hybrid_search.core.field_schema import Fields
from hybrid_search.core.ports import Draft, PictureStore, Store
from hybrid_search.core.stages import batches, map_overlapped, prefetch
from hybrid_search.embedding.image_encoder import BATCHES_AHEAD, Decoding, PictureEncoder
from hybrid_search.embedding.malloc import give_back
from hybrid_search.embedding.text_encoder import TextEncoder, text_key
from hybrid_search.ingest.manifests import Row, Skipped


@dataclass(slots=True)
class IngestReport:
    """What became of each row, and how fast."""

    indexed: int = 0
    """New assets."""
    unchanged: int = 0
    """Assets whose content was stored already."""
    updated: int = 0
    """Assets that replaced an earlier version."""
    skipped: list[Skipped] = field(default_factory=list)
    pictures: int = 0
    """Pictures of the new assets and versions."""
    embedded: int = 0
    """Pictures that went through the model; the others were known, or equal to one of these."""
    seconds: float = 0.0
    """From the first row to the last that is counted."""

    @property
    def total(self) -> int:
        """All rows that were seen."""
        return self.indexed + self.unchanged + self.updated + len(self.skipped)

    @property
    def pictures_per_second(self) -> float:
        """How fast pictures came in; 0 before the first."""
        return self.pictures / self.seconds if self.seconds else 0.0

    def add(self, other: IngestReport) -> None:
        """Count the rows of another report too."""
        self.indexed += other.indexed
        self.unchanged += other.unchanged
        self.updated += other.updated
        self.skipped += other.skipped
        self.pictures += other.pictures
        self.embedded += other.embedded
        self.seconds += other.seconds


@dataclass(frozen=True, slots=True)
class Target:
    """Where writes go: the parts of the generation that serves."""

    store: Store
    images: PictureEncoder
    text: TextEncoder | None
    """Embeds the text of new assets; ``None`` where it is not embedded."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A row whose bytes were read and hashed."""

    asset: Asset
    picture: Digest | None
    data: bytes
    content: Digest


@dataclass(frozen=True, slots=True)
class _Batch:
    """New content whose pictures are being decoded, and what became of the other rows."""

    arrivals: list[_Arrival]
    decoding: Decoding
    report: IngestReport
    target: Target


@dataclass(frozen=True, slots=True)
class _Ready:
    """What can be stored: its pictures have vectors of the target's model."""

    drafts: list[Draft]
    originals: dict[Digest, bytes]
    report: IngestReport
    target: Target


class Indexer:
    """The one writer: stores assets and deletions and brings the indexes up to them."""

    def __init__(
        self,
        *,
        pictures: PictureStore,
        target: Target,
        fields: Fields,
        batch_size: int = 64,
        room: Callable[[], None] = lambda: None,
    ) -> None:
        """``room`` is asked before each batch is stored, and raises where the disk has none."""
        self._pictures = pictures
        self._target = target
        self._fields = fields
        self._batch_size = batch_size
        self._check_room = room
        self._storing = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._writing = threading.Lock()

    def ingest(
        self,
        rows: Iterable[Row | Skipped],
        progress: Callable[[IngestReport], None] | None = None,
    ) -> IngestReport:
        """What became of each row; all that is counted is durable and searchable.

        Of rows with the same id the first counts. ``progress`` is called after each batch.
        """
        try:
            return self._ingest(rows, progress)
        finally:
            give_back()

    def _ingest(
        self, rows: Iterable[Row | Skipped], progress: Callable[[IngestReport], None] | None
    ) -> IngestReport:
        report, start, seen = IngestReport(), time.monotonic(), set[AssetId]()
        arrived = (self._receive(part, seen) for part in batches(rows, self._batch_size))
        ready = map(self._encode, prefetch(arrived, BATCHES_AHEAD))
        for stored in map_overlapped(self._storing, self._store, ready):
            report.add(stored)
            report.seconds = time.monotonic() - start
            if progress is not None:
                progress(report)
        if report.indexed or report.updated:
            self._target.store.settle()
        return report

    def delete(self, ids: Sequence[AssetId]) -> list[AssetId]:
        """The ids that were live and are now gone, from every index."""
        with self._writing:
            return self._target.store.delete(ids)

    def recover(self) -> None:
        """Finish a write that failed on its way to the indexes; mostly nothing."""
        with self._writing:
            self._target.store.recover()

    def turn_to(self, opened: Callable[[], Target]) -> None:
        """Write to what is opened, from the next batch on; writes wait until it is."""
        with self._writing:
            self._target = opened()

    def close(self) -> None:
        """Finish the batch that is being stored."""
        self._storing.shutdown()

    def _receive(self, rows: list[Row | Skipped], seen: set[AssetId]) -> _Batch:
        """The rows read and hashed, those with known content counted, decoding begun."""
        report = IngestReport()
        unique = list(_unique(rows, seen, report))
        arrivals = [found for row in unique if (found := self._arrive(row, report)) is not None]
        known = self._target.store.contents([arrival.asset.id for arrival in arrivals])
        new = [arrival for arrival in arrivals if known.get(arrival.asset.id) != arrival.content]
        report.unchanged = len(arrivals) - len(new)
        pictures = {part.picture: part.data for part in new if part.picture is not None}
        target = self._target
        return _Batch(new, target.images.begin(pictures), report, target)

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
        if data is None and not self._fields.searched_texts(asset):
            report.skipped.append(Skipped(asset.id, "neither an image nor any text"))
            return None
        picture = None if data is None else digest_of(data)
        content = digest_of(encode_asset(asset) + b"\x00" + (picture or "").encode())
        return _Arrival(asset, picture, data or b"", content)

    def _encode(self, batch: _Batch) -> _Ready:
        """What can be stored, its pictures embedded; the rest is reported."""
        encoded, report = batch.target.images.finish(batch.decoding), batch.report
        drafts, originals = [], {}
        for arrival in batch.arrivals:
            refusal = encoded.refused.get(arrival.picture) if arrival.picture else None
            if refusal is not None:
                report.skipped.append(Skipped(arrival.asset.id, str(refusal)))
                continue
            facts = None if arrival.picture is None else encoded.facts[arrival.picture]
            drafts.append(
                Draft(arrival.asset, facts, arrival.content, text_key(arrival.asset, self._fields))
            )
            if arrival.picture is not None:
                originals[arrival.picture] = arrival.data
        _embed_copy(batch.target, drafts)
        report.embedded = encoded.embedded
        return _Ready(drafts, originals, report, batch.target)

    def _store(self, ready: _Ready) -> IngestReport:
        """The batch's report, once it is durable and the indexes have it."""
        self._check_room()
        for digest, data in ready.originals.items():
            self._pictures.put(digest, data)
        with self._writing:
            if ready.target is not self._target:
                # Another generation serves since these were embedded, by another model maybe.
                encoder = self._target.images
                encoder.finish(encoder.begin(ready.originals))
                _embed_copy(self._target, ready.drafts)
            return self._write(ready.drafts, ready.report)

    def _write(self, drafts: list[Draft], report: IngestReport) -> IngestReport:
        # Another request may have written the same assets since these were compared.
        known = self._target.store.contents([draft.asset.id for draft in drafts])
        new = [draft for draft in drafts if known.get(draft.asset.id) != draft.content]
        report.unchanged += len(drafts) - len(new)
        if new:
            self._target.store.put(new)
        report.updated = sum(draft.asset.id in known for draft in new)
        report.indexed = len(new) - report.updated
        report.pictures = sum(draft.picture is not None for draft in new)
        return report


def _embed_copy(target: Target, drafts: list[Draft]) -> None:
    if target.text is not None:
        target.text.embed_drafts(drafts)


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
