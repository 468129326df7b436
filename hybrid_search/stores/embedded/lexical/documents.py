"""Assets as Tantivy documents."""

from __future__ import annotations

from collections.abc import Sequence

import tantivy

from hybrid_search.analysis.analyzer import Analyzer, Term, analyse
from hybrid_search.analysis.exact_name import whole_terms
from hybrid_search.analysis.suggestion_keys import names, suggestion_terms
from hybrid_search.core import StoredAsset
from hybrid_search.core.field_schema import Fields
from hybrid_search.stores.embedded.lexical.field_views import exact_mark, morph_mark
from hybrid_search.stores.embedded.lexical.filter_query import facet_terms
from hybrid_search.stores.embedded.lexical.suggester import FIELD

RUN_GAP = 100
"""Positions between two runs of copy: no phrase, however loose, reaches across."""


def new_schema() -> tantivy.Schema:
    """The fields of the index; a change of them is a change of the analyser's fingerprint."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("ordinal", indexed=True, fast=True)
    for view in ("exact", "morph", "within"):
        builder.add_text_field(view, tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("facets", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("whole", tokenizer_name="raw", index_option="basic")
    builder.add_text_field(FIELD, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("watermark", stored=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def new_document(stored: StoredAsset, analyzer: Analyzer, fields: Fields) -> tantivy.Document:
    """The asset with all views of its copy, its filter terms and its suggestions."""
    document = tantivy.Document()
    document.add_unsigned("ordinal", stored.arrival)
    for term in facet_terms(fields.values_of(stored)):
        document.add_text("facets", term)
    runs = fields.searched_texts(stored.asset)
    exact, morph, within = _Tokens(), _Tokens(), _Tokens()
    suggested = [*names(runs)]
    for run in runs:
        analysed = analyse(run.text, analyzer)
        suggested += analysed.suggested
        exact.add(analysed.exact)
        # A word that counts twice is there twice, as in BM25F (Robertson, Zaragoza, Taylor 2004).
        morph.add(analysed.words, times=run.boost)
        if fields.matches_words(run.field):
            within.add(analysed.exact, exact_mark(run.field))
            within.add(analysed.words, morph_mark(run.field))
    for term in whole_terms(runs, fields):
        document.add_text("whole", term)
    for term in suggestion_terms(suggested):
        document.add_text(FIELD, term)
    for name, tokens in (("exact", exact), ("morph", morph), ("within", within)):
        document.add_pre_tokenized_text(name, tantivy.PreTokenizedString("", tokens.tokens))
    return document


class _Tokens:
    """The terms of one view of an asset, run behind run."""

    def __init__(self) -> None:
        self.tokens: list[tantivy.Token] = []

    def add(self, terms: Sequence[Term], mark: str = "", times: int = 1) -> None:
        """The terms of a further run, with the mark before each."""
        base = self.tokens[-1].position + RUN_GAP if self.tokens else 0
        self.tokens += [
            tantivy.Token(mark + term.text, base + term.position, term.start, term.end)
            for term in terms
            for _ in range(times)
        ]
