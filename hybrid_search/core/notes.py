"""Notes on an answer: a code for programs, a text for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

NoteCode = Literal[
    "unknown_field",
    "unclosed_quote",
    "text_truncated",
    "index_changed",
    "no_exact_phrase",
    "list_not_built",
    "list_disabled",
    "no_good_match",
    "not_calibrated",
    "log_disabled",
]

NOTE_CODES: tuple[NoteCode, ...] = get_args(NoteCode)

NOTE_TEXTS: Mapping[NoteCode, str] = {
    "unknown_field": "{field} is not a searchable field; it was searched as a word",
    "unclosed_quote": "a quotation mark is not closed; the phrase ends with the query",
    "text_truncated": "the model read only the first {read} of {tokens} tokens of a text",
    "index_changed": "the index changed after the first page; hits may repeat",
    "no_exact_phrase": "no asset contains the exact phrase; these are the closest",
    "list_not_built": "{list}: the index has no text vectors; run: hybrid-search rebuild",
    "list_disabled": "{list}: disabled; set {setting} = true and run: hybrid-search rebuild",
    "no_good_match": "nothing matches; these are the closest",
    "not_calibrated": "too few vectors to calibrate similarity: only words and phrases match",
    "log_disabled": "the search was not logged; set {setting} = true to keep a log",
}
"""English text by code; names in braces are parameters."""


@dataclass(frozen=True, slots=True)
class Note:
    """A remark on how a query was read or answered.

    >>> str(Note("unknown_field", {"field": "colour"}))
    'colour is not a searchable field; it was searched as a word'
    """

    code: NoteCode
    params: Mapping[str, str | int] = field(default_factory=dict, hash=False)

    @property
    def text(self) -> str:
        """The note in English."""
        return NOTE_TEXTS[self.code].format_map(self.params)

    def __str__(self) -> str:
        return self.text
