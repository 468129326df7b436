"""Every deliberate error of this package, as one tree.

::

    SearchError
    ├── InvalidInput        the caller's fault, nothing changed      HTTP 4xx   exit 2
    │   ├── InvalidQuery        a query that cannot be run
    │   ├── InvalidAsset        a record that cannot be stored
    │   ├── InvalidPicture      bytes that are no acceptable picture
    │   └── InvalidConfig       a setting that is unknown or out of range
    ├── UnknownAsset        no live asset has this id                HTTP 404   exit 1
    ├── Overloaded          a queue is full, try again later         HTTP 503   exit 4
    │   └── DeadlineExceeded    it would take too long
    ├── IndexUnusable       the operator must act                    HTTP 503   exit 3
    │   ├── IndexMissing        there is no index in this folder yet
    │   ├── IndexLocked         another process writes to it
    │   ├── IndexCorrupt        a stored file is not what was written
    │   ├── IndexMismatch       it was built by another analyser or model
    │   └── StorageFull         the disk has no room              HTTP 507
    └── EngineFailure       a library failed under us                HTTP 500   exit 4

A message names the field, the value and the limit, and where there is one, the next
command to run.
"""

import errno


class SearchError(Exception):
    """The root of every error that this package raises on purpose."""


class InvalidInput(SearchError):
    """The caller's input cannot be used; nothing was changed."""


class InvalidQuery(InvalidInput):
    """A query that cannot be run."""


class InvalidAsset(InvalidInput):
    """A record that cannot be stored."""


class InvalidPicture(InvalidAsset):
    """Bytes that are not a picture this engine accepts."""


class InvalidConfig(InvalidInput):
    """A setting that is unknown, of the wrong type or out of range."""


class UnknownAsset(SearchError):
    """No live asset has the id that was asked for."""


class Overloaded(SearchError):
    """A bounded queue is full; the same request may work after ``retry_seconds``."""

    def __init__(self, message: str, retry_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class DeadlineExceeded(Overloaded):
    """The time that the work may take is over; what was left of it was not done."""


class IndexUnusable(SearchError):
    """The stored index cannot serve until somebody acts."""


class IndexMissing(IndexUnusable):
    """There is no index in the folder yet."""


class IndexLocked(IndexUnusable):
    """Another process holds the right to write."""


class IndexCorrupt(IndexUnusable):
    """A stored file is not what was written."""


class IndexMismatch(IndexUnusable):
    """The index was built by another analyser or another model than the configured one."""


class StorageFull(IndexUnusable):
    """The disk has no room for what is written; reads go on."""


class EngineFailure(SearchError):
    """A library failed in a way that the caller did not cause."""


_FULL = ("no space left", "disk is full", "quota exceeded")


def is_full(failure: BaseException) -> bool:
    """Whether a library's failure says that the disk is full, as a number or in words."""
    if isinstance(failure, OSError) and failure.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    return any(words in str(failure).lower() for words in _FULL)
