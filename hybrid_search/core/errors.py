"""The exceptions of this package.

::

    SearchError
    ├── InvalidInput        wrong input; nothing was changed         HTTP 4xx   exit 2
    │   ├── InvalidQuery        a query that cannot be run
    │   ├── InvalidAsset        an asset that cannot be stored
    │   ├── InvalidPicture      bytes that are not an accepted picture
    │   └── InvalidConfig       a setting that is unknown or out of range
    ├── UnknownAsset        no live asset has this id                HTTP 404   exit 1
    ├── Overloaded          a queue is full, try again later         HTTP 503   exit 4
    │   └── DeadlineExceeded    it would take too long
    ├── IndexUnusable       needs the operator                       HTTP 503   exit 3
    │   ├── IndexMissing        there is no index in this folder yet
    │   ├── IndexLocked         another process writes to it
    │   ├── IndexCorrupt        a stored file is not what was written
    │   ├── IndexMismatch       built by another analyzer, model or version
    │   └── StorageFull         the disk is full                      HTTP 507
    └── EngineFailure       a library failed                         HTTP 500   exit 4

A message names the field, the value and the limit, and the next command to run if there is one.
"""

import errno


class SearchError(Exception):
    """The base class of the package's exceptions."""


class InvalidInput(SearchError):
    """Input that cannot be used. Nothing was changed."""


class InvalidQuery(InvalidInput):
    """A query that cannot be run."""


class InvalidAsset(InvalidInput):
    """An asset that cannot be stored."""


class InvalidPicture(InvalidAsset):
    """Bytes that are not an accepted picture."""


class InvalidConfig(InvalidInput):
    """A setting that is unknown, of the wrong type or out of range."""


class UnknownAsset(SearchError):
    """No live asset has the requested id."""


class Overloaded(SearchError):
    """A bounded queue is full. The request can be repeated after ``retry_seconds``."""

    def __init__(self, message: str, retry_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class DeadlineExceeded(Overloaded):
    """The time limit of the work is over. The rest of it was not done."""


class IndexUnusable(SearchError):
    """The stored index cannot be used until the operator acts."""


class IndexMissing(IndexUnusable):
    """There is no index in the folder yet."""


class IndexLocked(IndexUnusable):
    """Another process writes to the index."""


class IndexCorrupt(IndexUnusable):
    """A stored file does not have the content that was written."""


class IndexMismatch(IndexUnusable):
    """The index was built by another analyzer, model or version than the configured one."""


class StorageFull(IndexUnusable):
    """The disk is full. Reads continue."""


class EngineFailure(SearchError):
    """A library failed, and the caller did not cause it."""


_FULL = ("no space left", "disk is full", "quota exceeded")


def is_full(failure: BaseException) -> bool:
    """Whether the exception means that the disk is full, by its errno or its message."""
    if isinstance(failure, OSError) and failure.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    return any(words in str(failure).lower() for words in _FULL)
